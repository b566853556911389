"""Times on a GPU, taken by its own clock: of a kernel alone, or of a step with the launches of its kernels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

from tinyres.app.bench.stopwatch import WARM_UP
from tinyres_kernels.gpu import card
from tinyres_kernels.gpu.graph import Recorder

AT_ONCE = 100  # calls are timed together: a single kernel may take less than the clock's tick


def kernel_seconds(calls: Sequence[Callable[[], object]], repeats: int) -> float:
    """The time that the GPU spends on one call: the median of `repeats`, each the mean of AT_ONCE calls in turns.

    They are one CUDA graph, because Python takes longer to launch a short kernel than the GPU to run it. The calls do
    the same on different arrays, and their results are kept for a turn: what a call reads or writes is then no longer
    in the GPU's cache, if one turn moves more than the cache holds.
    """

    def in_turns() -> None:
        kept: deque[object] = deque(maxlen=len(calls))
        for k in range(AT_ONCE):
            kept.append(calls[k % len(calls)]())

    recorder = Recorder(0)
    graph = recorder.record(in_turns)
    with recorder.here():
        graph.launch()
        return median(card.seconds(graph.launch) / AT_ONCE for _ in range(repeats))


def step_seconds(steps: Callable[[int], object], repeats: int, rounds: int = 3) -> float:
    """The time of one step, launches by Python included: the best of `rounds`, each the mean of `repeats` steps.

    The best, because other programs on the machine can only lengthen it; torch's steps are timed in the same way.
    """
    steps(WARM_UP)
    return min(card.seconds(lambda: steps(repeats)) / repeats for _ in range(rounds))


def several(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()
