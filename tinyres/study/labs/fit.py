"""Training within a lab: any model, a fixed budget, errors on both sets after every epoch; nothing chosen by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyres.app.training.evaluate import Score, evaluate
from tinyres.app.training.step import train_step
from tinyres.autograd import Tensor
from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.nn import Module
from tinyres.optim import SGD
from tinyres.optim.lr_scheduler import OneCycleLR
from tinyres.random import set_step


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

    Returns a line for every epoch: train_loss and train_error as they were during it, in the training mode, test_loss
    and test_error after it. Errors from 0 to 1. A loss that is no longer a number ends the training; the lines of the
    epochs that are left then repeat chance level, so that a net that diverged is seen as one and not left out.

    after_epoch: called with the epoch, from 0, when it is done.
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
            model.train()
            for k, (x, y) in enumerate(batches.epoch(epoch)):
                set_step(epoch, k)
                schedule.goto(epoch * len(batches) + k)
                labels = Tensor(y)
                loss, scores = train_step(model, optimizer, Tensor(x), labels)
                if not np.isfinite(loss):
                    return lines + [chance(len(train.classes))] * (epochs - epoch)
                score.add(loss, scores, labels)
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
    """What a net that knows nothing scores."""
    loss, error = float(np.log(classes)), 1 - 1 / classes
    return {"train_loss": loss, "train_error": error, "test_loss": loss, "test_error": error, "diverged": 1.0}
