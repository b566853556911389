"""What the card can do at most: bytes copied, and multiply-adds that never leave their registers (peak.cu)."""

from __future__ import annotations

import numpy as np

from tinyres.app.bench.gpu.clock import kernel_seconds
from tinyres.device import to_device
from tinyres_kernels import products
from tinyres_kernels.gpu import card, peak

COPIED = 2**28  # bytes: more than any card's cache
THREADS, ROUNDS = 2**18, 2**12


class Section:
    """copied, threads, rounds: how much is done to find out"""

    def __init__(self, copied: int = COPIED, threads: int = THREADS, rounds: int = ROUNDS) -> None:
        self.copied, self.threads, self.rounds = copied, threads, rounds
        self.labels = ["card", "copy", *products.KINDS]

    def measure(self, label: str) -> dict[str, object]:
        """{"gb_per_s": read and written both count} or {"gflops": …}; of "card": what it is"""
        if label == "card":
            return card.about()
        if label == "copy":
            source = to_device(np.ones(self.copied // 4, np.float32), "cuda")
            target = to_device(np.zeros(self.copied // 4, np.float32), "cuda")
            taken = kernel_seconds(lambda: target.__setitem__(..., source), 5)
            return {"gb_per_s": 2 * self.copied / taken / 1e9}
        numbers = to_device(np.full(self.threads, 0.5, np.float32), "cuda")
        taken = kernel_seconds(lambda: peak.multiply_adds(numbers, self.rounds, label), 5)
        return {"gflops": self.threads * self.rounds * peak.FLOP_PER_ROUND[label] / taken / 1e9}
