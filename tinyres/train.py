"""Training: one step, the loop over the batches of an epoch, and a test of what was learnt.

A step computes the loss of one batch and its gradient with respect to every parameter, and moves each parameter a
little against its gradient. An epoch makes one step for every batch:

    for epoch in range(epochs):
        for score in train_epoch(model, optimizer, schedule, batches, epoch):
            print(score.loss, score.accuracy)
        print(evaluate(model, test_batches.epoch(0)).accuracy)

The labs and `tinyres train` learn so. tinyres/app/training adds saving, stopping and resuming; tinyres/scale has the
same loop for several processes and for a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tinyres.autograd import Tensor
from tinyres.data import Loader
from tinyres.modes import no_grad
from tinyres.nn import Module
from tinyres.nn import functional as F
from tinyres.optim import Optimizer
from tinyres.optim.lr_scheduler import LRScheduler
from tinyres.random import set_step


def train_step(
    model: Module, optimizer: Optimizer, images: Tensor, labels: Tensor, label_smoothing: float = 0
) -> Score:
    """Learn from one batch: images (N, C, H, W), labels (N). Returns its score from before the parameters moved.

    NotFinite: the loss or a gradient is NaN or infinite.
    """
    optimizer.zero_grad()
    scores = model(images)  # (N, K)
    loss = F.cross_entropy(scores, labels, label_smoothing=label_smoothing)  # the mean over the batch
    loss.backward()  # gives every parameter its gradient
    if not is_finite(model, loss.item()):
        raise NotFinite(loss.item())
    optimizer.step()
    return Score.of(loss.item(), scores, labels)


def train_epoch(
    model: Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    batches: Loader,
    epoch: int,
    start: int = 0,
    label_smoothing: float = 0.0,
) -> Iterator[Score]:
    """Learn from the batches of an epoch, from batch `start` on. Yields the score of each; errors as in train_step."""
    model.train()
    device = next(model.parameters()).device
    for step, (x, y) in enumerate(batches.epoch(epoch, start), start):
        set_step(epoch, step)  # what dropout draws depends on it, and on nothing that came before
        schedule.goto(epoch * len(batches) + step)  # sets the learning rate
        yield train_step(model, optimizer, Tensor(x).to(device), Tensor(y).to(device), label_smoothing)


def evaluate(model: Module, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Score:
    """The score of these batches together: images (N, C, H, W), labels (N). Leaves the model in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    total = Score()
    with no_grad():
        for x, y in batches:
            images, labels = Tensor(x).to(device), Tensor(y).to(device)
            scores = model(images)
            total += Score.of(F.cross_entropy(scores, labels).item(), scores, labels)
    return total


@dataclass
class Score:
    """Sums over images, of one batch or of many; `loss` and `accuracy` are the means."""

    loss_sum: float = 0.0
    correct: int = 0
    images: int = 0

    @staticmethod
    def of(loss: float, scores: Tensor, labels: Tensor) -> Score:
        """The score of a batch: from its mean loss, the network's scores (N, K) and the labels (N)."""
        return Score(loss * len(labels), int((scores.data.argmax(axis=1) == labels.data).sum()), len(labels))

    def __iadd__(self, other: Score) -> Score:
        self.loss_sum += other.loss_sum
        self.correct += other.correct
        self.images += other.images
        return self

    @property
    def loss(self) -> float:
        return self.loss_sum / self.images

    @property
    def accuracy(self) -> float:
        """The fraction of the images that the network names correctly, from 0 to 1."""
        return self.correct / self.images


class NotFinite(ArithmeticError):
    """The loss of a batch, or a gradient, is NaN or infinite. The parameters were not changed by this batch."""

    def __init__(self, loss: float):
        super().__init__(f"the loss is {loss:.4g}, or a gradient is NaN or infinite; try a lower learning rate")
        self.loss = loss


def is_finite(model: Module, loss: float) -> bool:
    """Are the loss and all gradients finite? For ResNet-20 this takes a thousandth of the step."""
    return math.isfinite(loss) and all(np.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
