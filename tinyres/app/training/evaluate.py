"""How good a network is on images it does not learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyres.autograd import Tensor
from tinyres.modes import no_grad
from tinyres.nn import Module
from tinyres.nn import functional as F

Batches = Iterator[tuple[np.ndarray, np.ndarray]]  # images (N, C, H, W) and labels (N,), as from Loader.epoch


@dataclass
class Score:
    """Running sums over images; the averages are read off. All figures can be written to JSON and read back exactly."""

    loss_sum: float = 0.0
    correct: int = 0
    images: int = 0

    def add(self, loss: float, scores: Tensor, labels: Tensor) -> None:
        """Count a batch: its mean loss, its scores (N, K) and labels (N)."""
        self.count(loss, int((scores.data.argmax(axis=1) == labels.data).sum()), len(labels))

    def count(self, loss: float, correct: int, images: int) -> None:
        """Count a batch of so many images: its mean loss, and how many were named right."""
        self.loss_sum += loss * images
        self.correct += correct
        self.images += images

    def join(self, other: Score) -> None:
        """Count what another one has counted."""
        self.loss_sum += other.loss_sum
        self.correct += other.correct
        self.images += other.images

    @property
    def loss(self) -> float:
        return self.loss_sum / self.images

    @property
    def accuracy(self) -> float:
        """From 0 to 1."""
        return self.correct / self.images


def evaluate(model: Module, batches: Batches, device: str = "cpu") -> Score:
    """The mean cross-entropy and the accuracy over all batches. The model is left in evaluation mode."""
    score = Score()
    model.eval()
    with no_grad():
        for x, y in batches:
            if not len(y):
                continue  # a small batch, shared by many
            images, labels = Tensor(x).to(device), Tensor(y).to(device)
            scores = model(images)
            score.add(F.cross_entropy(scores, labels).item(), scores, labels)
    return score
