"""Times on a GPU, taken by its own clock: of a kernel alone, or of a step with the launches of its kernels."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import numpy as np

from tinyres.app.bench.stopwatch import WARM_UP
from tinyres.device import to_device
from tinyres_kernels.gpu import card, peak

AT_ONCE = 20  # calls are timed together: a single kernel may take less than the clock's tick
BUSY_THREADS, BUSY_ROUNDS = 2**17, 2**15  # milliseconds of multiply-adds: longer than Python needs to launch the calls


def kernel_seconds(call: Callable[[], object], repeats: int) -> float:
    """The time that the GPU spends on one call: the median of `repeats`, each the mean of AT_ONCE calls.

    The GPU is first kept busy until all calls wait in its queue, so that it runs them without a pause in between.
    """
    busy = to_device(np.zeros(BUSY_THREADS, np.float32), "cuda")
    for _ in range(WARM_UP):
        call()
    return median(
        card.seconds(lambda: several(call, AT_ONCE), before=lambda: peak.multiply_adds(busy, BUSY_ROUNDS)) / AT_ONCE
        for _ in range(repeats)
    )


def step_seconds(steps: Callable[[int], object], repeats: int, rounds: int = 3) -> float:
    """The time of one step, launches by Python included: the best of `rounds`, each the mean of `repeats` steps.

    The best, because other programs on the machine can only lengthen it; torch's steps are timed in the same way.
    """
    steps(WARM_UP)
    return min(card.seconds(lambda: steps(repeats)) / repeats for _ in range(rounds))


def several(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()
