"""The GPU's limits: how fast it copies bytes, and multiply-adds that stay in registers (peak.cu)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.gpu.clock import several, step_seconds
from tinyres.device import to_device
from tinyres_kernels import products
from tinyres_kernels.gpu import card, peak

COPIED = 2**28  # bytes: more than any GPU's cache holds
THREADS, ROUNDS = 2**18, 2**12


class Section:
    """copied: bytes of the copy. threads, rounds: of the multiply-adds."""

    def __init__(self, copied: int = COPIED, threads: int = THREADS, rounds: int = ROUNDS) -> None:
        self.copied, self.threads, self.rounds = copied, threads, rounds
        self.labels = ["card", "copy", *products.KINDS]

    def measure(self, label: str) -> dict[str, object]:
        """{"gb_per_s": reading and writing both count} or {"gflops": …}; for "card": its name and properties."""
        if label == "card":
            return card.about()
        if label == "copy":
            source = to_device(np.ones(self.copied // 4, np.float32), "cuda")
            target = to_device(np.zeros(self.copied // 4, np.float32), "cuda")
            taken = seconds(lambda: target.__setitem__(..., source))
            return {"gb_per_s": 2 * self.copied / taken / 1e9}
        numbers = to_device(np.full(self.threads, 0.5, np.float32), "cuda")
        taken = seconds(lambda: peak.multiply_adds(numbers, self.rounds, label))
        return {"gflops": self.threads * self.rounds * peak.FLOP_PER_ROUND[label] / taken / 1e9}


def seconds(call: Callable[[], object]) -> float:
    """The time of one call, which is far longer than its launch."""
    return step_seconds(lambda count: several(call, count), 10)
