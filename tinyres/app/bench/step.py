"""Times the whole training step, and the forward pass alone, on one batch of noise."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from tinyres import models
from tinyres.app.bench.stopwatch import WARM_UP, peak_memory, seconds
from tinyres.autograd import Array, Op, Tensor
from tinyres.modes import Observer, no_grad, observe
from tinyres.nn import functional as F
from tinyres.optim import SGD


def batch(model: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N,C,H,W) of noise and labels (N), always the same."""
    draws = np.random.default_rng(0)
    images = draws.standard_normal((batch_size, *models.input_shape(model)), np.float32)
    return images, draws.integers(0, 10, batch_size)


class Training:
    """A model, a batch and an optimiser on a device, to repeat the same step."""

    def __init__(self, model: str, batch_size: int, device: str = "cpu"):
        self.model = models.build(model).to(device)
        self.optimizer = SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        images, labels = batch(model, batch_size)
        self.images, self.labels = Tensor(images).to(device), Tensor(labels).to(device)

    def step(self) -> None:
        """Forward, cross-entropy, backward, SGD with momentum."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()

    def forward(self) -> None:
        """A forward pass that records nothing, as for a trained model; put the model into eval mode first."""
        with no_grad():
            self.model(self.images)


def measure(model: str, batch_size: int, repeats: int, forward_only: bool = False) -> dict[str, Any]:
    """{"step": [seconds, …], "forward": [seconds, …], "memory": bytes}; the memory is that of the first."""
    training = Training(model, batch_size)
    measured: dict[str, Any] = {}
    if not forward_only:
        measured["step"] = seconds(training.step, repeats)
        measured["memory"] = peak_memory()
    training.model.eval()
    measured["forward"] = seconds(training.forward, repeats)
    measured.setdefault("memory", peak_memory())
    return measured


class Laps(Observer):
    """Divides the time of a step among its ops: the time between two events belongs to the op of the second.

    So an op's time includes the Python around it, and in backward the additions where two gradients meet. Nothing is
    left out: the laps of a step add up to its whole time.
    """

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, ...], float] = {}
        self.last = perf_counter()

    def lap(self, *what: str) -> None:
        now = perf_counter()
        self.seconds[what] = self.seconds.get(what, 0.0) + now - self.last
        self.last = now

    def applied(self, op: Op, y: Tensor) -> None:
        self.lap(op.name, "forward")

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        self.lap(op.name, "backward")


def by_op(model: str, batch_size: int, repeats: int) -> list[dict[str, Any]]:
    """The training step's milliseconds by kind of op, most expensive first: the mean over `repeats` steps.

    The mean and not the median, so that the rows add up to the step.
    """
    training = Training(model, batch_size)
    for _ in range(WARM_UP):
        training.step()
    laps = Laps()
    with observe(laps):
        for _ in range(repeats):
            training.step()
            laps.lap("SGD", "update")
    totals: dict[str, float] = {}
    for (name, _), taken in laps.seconds.items():
        totals[name] = totals.get(name, 0.0) + taken
    phases = ("forward", "backward", "update")
    return [
        {"op": name, **{f"{phase}_ms": 1e3 * laps.seconds.get((name, phase), 0.0) / repeats for phase in phases}}
        for name in sorted(totals, key=lambda name: -totals[name])
    ]
