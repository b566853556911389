"""The whole training step on the GPU: each network, in float32, TF32 and bf16."""

from __future__ import annotations

from collections.abc import Callable

from bench.gpu.clock import several, step_seconds
from tinyres import models
from tinyres.app.bench.loop import noise
from tinyres.app.bench.step import Training
from tinyres.data import Loader, channel_statistics
from tinyres.optim import SGD
from tinyres.scale.captured import CapturedSteps
from tinyres.scale.precision import using_products
from tinyres_kernels import products

IMAGES = 12_800  # for the captured step: an epoch is 100 steps of 128 images

Steps = Callable[[int], object]  # makes this number of steps


def ordinary(model: str, batch_size: int) -> Steps:
    """The step as Python writes it, its kernels launched one by one, always on the same batch."""
    training = Training(model, batch_size, "cuda")
    return lambda count: several(training.step, count)


def captured(model: str, batch_size: int) -> Steps:
    """The CUDA graph of `tinyres train`, which makes its own batches: cropped, flipped and normalised."""
    steps = captured_steps(model, batch_size, IMAGES)

    def run(count: int) -> None:
        for first in range(0, count, len(steps.loader)):
            now = min(count - first, len(steps.loader))
            steps.begin(0, 0, [0.01] * now)
            steps.run(now)

    return run


def captured_steps(model: str, batch_size: int, images: int) -> CapturedSteps:
    """The steps of an epoch over images of noise, recorded and ready to begin."""
    network = models.build(model).to("cuda")
    optimizer = SGD(network.parameters(), lr=0.01, momentum=0.9)
    dataset = noise(model, images)
    mean, std = channel_statistics(dataset)
    loader = Loader(dataset, batch_size, shuffle=True, augment=True, mean=mean, std=std)
    return CapturedSteps(network, optimizer, loader, label_smoothing=0.0)


def one_by_one(steps: CapturedSteps) -> None:
    """One step of those that were begun: the launches of its graph made one by one, in their order."""
    size = steps.loader.batch_size
    recorded = steps.recorded[size]
    with steps.recorder.here():
        steps.one_step(size, recorded.shares, *recorded.pages)


WAYS: dict[str, Callable[[str, int], Steps]] = {"ordinary": ordinary, "captured": captured}


class Section:
    """repeats: each time is the mean of ten times as many steps."""

    def __init__(self, models: list[str], batch_size: int, repeats: int) -> None:
        self.batch_size, self.steps = batch_size, 10 * repeats
        self.labels = [f"{model} {kind} {way}" for model in models for kind in products.KINDS for way in WAYS]

    def measure(self, label: str) -> dict[str, object]:
        """{"model", "kind", "way", "ms": of one step, "images_per_second"}"""
        model, kind, way = label.split()
        with using_products(kind):
            taken = step_seconds(WAYS[way](model, self.batch_size), self.steps)
        figures = {"ms": 1e3 * taken, "images_per_second": self.batch_size / taken}
        return {"model": model, "kind": kind, "way": way, **figures}
