"""Times the whole training loop: how much of a step goes to batches, optimiser and metrics."""

from __future__ import annotations

from time import thread_time
from typing import Any

import numpy as np

from tinyres import models
from tinyres.app.bench.step import Laps
from tinyres.app.bench.stopwatch import WARM_UP
from tinyres.app.training import Settings
from tinyres.autograd import Tensor
from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.nn import functional as F
from tinyres.train import Score


class TimedLoader(Loader):
    """Records the processor seconds of each batch, in whatever thread it was prepared."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.seconds: list[float] = []

    def _batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        started = thread_time()
        batch = super()._batch(order, epoch, step)
        self.seconds.append(thread_time() - started)
        return batch


def measure(model: str, batch_size: int, repeats: int) -> dict[str, Any]:
    """The milliseconds of a step and of its parts outside the network: the mean over `repeats` steps.

    optimizer  zero_grad and step, as in the fast recipe: Nesterov's momentum and weight decay
    waiting    until the batch is ready, which a second thread prepares with crop, flip and normalisation
    preparing  the processor time of that thread. It counts in full: if every processor is busy, the network loses this
               time; if one is idle, it costs nothing
    metrics    the running loss and accuracy
    """
    network = models.build(model)
    optimizer = Settings.from_recipe("fast", model=model, lr=0.01).make_optimizer(network)
    dataset = noise(model, (WARM_UP + repeats + 2) * batch_size)  # 2 more, because the loader works ahead
    mean, std = channel_statistics(dataset)
    loader = TimedLoader(dataset, batch_size, shuffle=True, augment=True, mean=mean, std=std)
    batches, score, laps = loader.epoch(0), Score(), Laps()
    for step in range(WARM_UP + repeats):
        if step == WARM_UP:
            laps = Laps()
        x, y = next(batches)
        images, labels = Tensor(x), Tensor(y)
        laps.lap("waiting")
        scores = network(images)
        loss = F.cross_entropy(scores, labels)
        laps.lap("network")
        optimizer.zero_grad()
        laps.lap("optimizer")
        loss.backward()
        laps.lap("network")
        optimizer.step()
        laps.lap("optimizer")
        score += Score.of(loss.item(), scores, labels)
        laps.lap("metrics")
    parts = {name: laps.seconds[(name,)] / repeats for name in ("optimizer", "waiting", "metrics")}
    parts["preparing"] = sum(loader.seconds) / len(loader.seconds)
    return shares(parts, sum(laps.seconds.values()) / repeats)


def noise(model: str, count: int) -> Dataset:
    """`count` images of noise, of the size that the model expects."""
    draws = np.random.default_rng(0)
    images = draws.integers(256, size=(count, *models.input_shape(model)), dtype=np.uint8)
    return Dataset(images, draws.integers(10, size=count), tuple("0123456789"), "noise")


def shares(parts: dict[str, float], step: float) -> dict[str, Any]:
    """Seconds -> {"step_ms": …, "optimizer": {"ms": …, "share": of the step}, …, "together": the same}"""
    parts = {**parts, "together": sum(parts.values())}
    return {"step_ms": 1e3 * step, **{name: {"ms": 1e3 * part, "share": part / step} for name, part in parts.items()}}
