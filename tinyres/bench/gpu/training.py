"""The whole training step on the card: each network, in float32, TF32 and bf16."""

from __future__ import annotations

from collections.abc import Callable

from tinyres.bench.gpu.clock import step_seconds
from tinyres.bench.step import Training
from tinyres.device import using_products
from tinyres_kernels import products


def ordinary(model: str, batch_size: int) -> Callable[[], object]:
    """The step as it is written, its kernels launched one by one."""
    return Training(model, batch_size, "cuda").step


# Every way in which a step can be made: from a model and a batch size, what does one step. A step that is captured in a
# CUDA graph goes in here; the report takes the fastest of each network and kind.
WAYS: dict[str, Callable[[str, int], Callable[[], object]]] = {"ordinary": ordinary}


class Section:
    def __init__(self, models: list[str], batch_size: int, repeats: int) -> None:
        self.batch_size, self.repeats = batch_size, repeats
        self.labels = [f"{model} {kind} {way}" for model in models for kind in products.KINDS for way in WAYS]

    def measure(self, label: str) -> dict[str, object]:
        """{"model", "kind", "way", "ms": of a step, "images_per_second"}"""
        model, kind, way = label.split()
        with using_products(kind):
            taken = step_seconds(WAYS[way](model, self.batch_size), self.repeats)
        figures = {"ms": 1e3 * taken, "images_per_second": self.batch_size / taken}
        return {"model": model, "kind": kind, "way": way, **figures}
