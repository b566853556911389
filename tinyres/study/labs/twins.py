"""Plain and residual twins of one depth: the same layers, one with the additions, one without."""

from __future__ import annotations

from functools import partial
from typing import Any

from tinyres.data import Dataset
from tinyres.models.plain import cifar_plain
from tinyres.models.resnet import ResNet, cifar_resnet
from tinyres.random import manual_seed
from tinyres.study.labs.workbench import Curve, Workbench

KINDS = ("plain", "residual")


def twin(kind: str, depth: int, classes: int, seed: int) -> ResNet:
    """A CIFAR net of 6n + 2 layers with He's initial weights: of one seed and depth both kinds get the same ones."""
    manual_seed(seed)
    return cifar_resnet(depth, classes, "A") if kind == "residual" else cifar_plain(depth, classes)


def learning_rate(depth: int) -> float:
    """0.1; less for the deep ones, which the paper, too, starts lower (section 4.2: ResNet-110)."""
    return 0.1 if depth < 100 else 0.05


def trained_twin(
    bench: Workbench, kind: str, depth: int, seed: int, sets: tuple[Dataset, Dataset], epochs: int, **how: Any
) -> tuple[ResNet, Curve]:
    """A twin after training, and its curve. Labs that ask for the same one share it, where --nets says so."""
    make = partial(twin, kind, depth, len(sets[0].classes))
    how = {"lr": learning_rate(depth), **how}
    return bench.trained(f"{kind} {depth}", make, sets, seed=seed, epochs=epochs, **how)


def sizes_of(train: Dataset, test: Dataset) -> str:
    h, w = train.images.shape[2:]
    size = "" if (h, w) == (32, 32) else f" ({h}×{w})"
    return f"{len(train):,} images of {train.name}{size}, tested on {len(test):,}"
