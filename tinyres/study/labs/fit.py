"""Training in a lab: any model, a fixed number of epochs, and the errors on both sets after each of them.

Nothing is chosen by these errors: no epoch is picked, and training never stops early because of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.nn import Module
from tinyres.optim import SGD
from tinyres.optim.lr_scheduler import OneCycleLR
from tinyres.train import NotFinite, Score, evaluate, train_epoch


def fit(
    model: Module,
    train: Dataset,
    test: Dataset,
    *,
    epochs: int,
    lr: float = 0.1,
    batch_size: int = 64,
    weight_decay: float = 5e-4,
    seed: int = 0,
    augment: bool = True,
    after_epoch: Callable[[int], Any] = lambda epoch: None,
) -> list[dict[str, float]]:
    """Train in place with SGD (Nesterov, momentum 0.9) on a one-cycle schedule.

    Returns a line for every epoch: train_loss and train_error, measured while it trained, then test_loss and
    test_error. Errors are fractions from 0 to 1. If the loss or a gradient becomes NaN or infinite, training ends. The
    lines of that epoch and of those after it then say `chance`, so that a net that diverged is seen and not left out.

    after_epoch: called with the number of each epoch, from 0, when it is done
    """
    mean, std = channel_statistics(train)
    batches = Loader(train, batch_size, seed=seed, shuffle=True, augment=augment, mean=mean, std=std)
    tests = Loader(test, batch_size, mean=mean, std=std)
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay, nesterov=True)
    schedule = OneCycleLR(optimizer, lr, epochs * len(batches))
    lines: list[dict[str, float]] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(epochs):
            score = Score()
            try:
                for of_batch in train_epoch(model, optimizer, schedule, batches, epoch):
                    score += of_batch
            except NotFinite:
                return lines + [chance(len(train.classes))] * (epochs - epoch)
            tested = evaluate(model, tests.epoch(0))
            lines.append(
                {
                    "train_loss": score.loss,
                    "train_error": 1 - score.accuracy,
                    "test_loss": tested.loss,
                    "test_error": 1 - tested.accuracy,
                }
            )
            after_epoch(epoch)
    return lines


def chance(classes: int) -> dict[str, float]:
    """The line of a net that guesses, with "diverged" in it."""
    loss, error = float(np.log(classes)), 1 - 1 / classes
    return {"train_loss": loss, "train_error": error, "test_loss": loss, "test_error": error, "diverged": 1.0}
