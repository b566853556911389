"""Plain and residual twins: two nets with the same layers, one without the additions and one with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from tinyres.data import Dataset
from tinyres.models.plain import cifar_plain
from tinyres.models.resnet import ResNet, cifar_resnet
from tinyres.random import manual_seed
from tinyres.study.labs.workbench import Curve, Workbench

KINDS = ("plain", "residual")
Depth = TypeVar("Depth", int, str)
Value = TypeVar("Value")


def twin(kind: str, depth: int, classes: int, seed: int) -> ResNet:
    """A CIFAR net of 6n + 2 layers. With the same seed and depth, both kinds get the same initial weights (He's)."""
    manual_seed(seed)
    return cifar_resnet(depth, classes, "A") if kind == "residual" else cifar_plain(depth, classes)


def learning_rate(depth: int) -> float:
    """0.1, and 0.05 for deep nets: the paper starts ResNet-110 lower as well (section 4.2)."""
    return 0.1 if depth < 100 else 0.05


def trained_twin(
    bench: Workbench, kind: str, depth: int, seed: int, sets: tuple[Dataset, Dataset], epochs: int, **how: Any
) -> tuple[ResNet, Curve]:
    """A trained twin and its training curve. With --nets, labs that need the same twin share it."""
    make = partial(twin, kind, depth, len(sets[0].classes))
    how = {"lr": learning_rate(depth), **how}
    return bench.trained(f"{kind} {depth}", make, sets, seed=seed, epochs=epochs, **how)


def of_all_twins(
    bench: Workbench, depths: Iterable[Depth], seeds: range, measure: Callable[[str, Depth, int], Value]
) -> dict[str, dict[str, list[Value]]]:
    """{kind: {depth: [measure(kind, depth, seed) for every seed]}}; each call is a part of the lab."""
    return {
        kind: {str(depth): bench.each_seed(f"{kind} {depth}", seeds, partial(measure, kind, depth)) for depth in depths}
        for kind in KINDS
    }


def sizes_of(train: Dataset, test: Dataset) -> str:
    h, w = train.images.shape[2:]
    size = "" if (h, w) == (32, 32) else f" ({h}×{w})"
    return f"{len(train):,} images of {train.name}{size}, tested on {len(test):,}"
