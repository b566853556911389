"""How a time is taken on a card: by its own clock, and with or without what it takes to tell it what to do."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import numpy as np

from tinyres.app.bench.stopwatch import WARM_UP
from tinyres.device import to_device
from tinyres_kernels.gpu import card, peak

AT_ONCE = 20  # calls that are timed together: a kernel may take less than the clock's tick
BUSY_THREADS, BUSY_ROUNDS = 2**17, 2**15  # some milliseconds of multiply-adds: longer than Python needs for the calls


def kernel_seconds(call: Callable[[], object], repeats: int) -> float:
    """Of one call, the card's own time: the median of `repeats`, each the mean of AT_ONCE.

    The card is kept busy first, until all of them are waiting in its queue; so it goes from one to the next at once.
    """
    busy = to_device(np.zeros(BUSY_THREADS, np.float32), "cuda")
    for _ in range(WARM_UP):
        call()
    return median(
        card.seconds(lambda: several(call, AT_ONCE), before=lambda: peak.multiply_adds(busy, BUSY_ROUNDS)) / AT_ONCE
        for _ in range(repeats)
    )


def step_seconds(steps: Callable[[int], object], repeats: int, rounds: int = 3) -> float:
    """Of one step among many, with what Python takes to tell the card: the best of `rounds`, each a mean of `repeats`.

    The best, because what else happens on the machine can only lengthen it; torch's steps are timed in the same way.
    """
    steps(WARM_UP)
    return min(card.seconds(lambda: steps(repeats)) / repeats for _ in range(rounds))


def several(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()
