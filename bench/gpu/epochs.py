"""Whole epochs of as many images as CIFAR's training set has, captured as `tinyres train` has them."""

from __future__ import annotations

from time import perf_counter

from bench.gpu.training import captured_steps
from tinyres.scale.precision import using_products

IMAGES = 50_000
EPOCHS = 2  # that count; of ResNet-56 in float32 one takes 17 s on an H100


class Section:
    """images: of an epoch; fewer are for tests."""

    def __init__(self, models: list[str], batch_size: int, images: int = IMAGES) -> None:
        self.batch_size, self.images = batch_size, images
        self.labels = [f"{model} {kind}" for kind in ("bf16", "tf32", "float32") for model in models]

    def measure(self, label: str) -> dict[str, object]:
        """{"prepared_s": of compiling and recording, and of an epoch to warm up, "epoch_s": of each of EPOCHS}"""
        model, kind = label.split()
        taken = []
        with using_products(kind):
            begun = perf_counter()
            steps = captured_steps(model, self.batch_size, self.images)
            for epoch in range(1 + EPOCHS):
                steps.begin(epoch, 0, [0.01] * len(steps.loader))
                steps.run(len(steps.loader))
                taken.append(perf_counter() - begun)
                begun = perf_counter()
        return {"prepared_s": taken[0], "epoch_s": taken[1:]}
