"""The networks, and finding one by its name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from inspect import signature
from typing import Any

from tinyres.models.alexnet import alexnet
from tinyres.models.densenet import densenet121, densenet_bc100
from tinyres.models.fpn import resnet20_fpn
from tinyres.models.googlenet import googlenet
from tinyres.models.highway import highway20, highway32
from tinyres.models.nin import nin
from tinyres.models.plain import plain18, plain20, plain32, plain34, plain44, plain56, plain110
from tinyres.models.preact import (
    preactresnet20,
    preactresnet32,
    preactresnet44,
    preactresnet56,
    preactresnet110,
    preactresnet164,
)
from tinyres.models.resnet import (
    resnet8,
    resnet18,
    resnet18_cifar,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
    resnet1202,
)
from tinyres.models.vgg import vgg16, vgg16_cifar, vgg19
from tinyres.nn import Module

__all__ = [
    "alexnet",
    "build",
    "densenet121",
    "densenet_bc100",
    "googlenet",
    "highway20",
    "highway32",
    "input_shape",
    "names",
    "nin",
    "plain18",
    "plain20",
    "plain32",
    "plain34",
    "plain44",
    "plain56",
    "plain110",
    "preactresnet20",
    "preactresnet32",
    "preactresnet44",
    "preactresnet56",
    "preactresnet110",
    "preactresnet164",
    "resnet8",
    "resnet18",
    "resnet18_cifar",
    "resnet20",
    "resnet20_fpn",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "resnet1202",
    "vgg16",
    "vgg16_cifar",
    "vgg19",
]

_32x32: tuple[Callable[..., Module], ...] = (
    resnet8,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
    resnet1202,
    resnet18_cifar,
    plain20,
    plain32,
    plain44,
    plain56,
    plain110,
    nin,
    vgg16_cifar,
    preactresnet20,
    preactresnet32,
    preactresnet44,
    preactresnet56,
    preactresnet110,
    preactresnet164,
    highway20,
    highway32,
    densenet_bc100,
    resnet20_fpn,
)
_224x224: tuple[Callable[..., Module], ...] = (
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    plain18,
    plain34,
    alexnet,
    googlenet,
    vgg16,
    vgg19,
    densenet121,
)
_MODELS = {make.__name__: make for make in (*_32x32, *_224x224)}


def names() -> list[str]:
    """All models' names."""
    return list(_MODELS)


def build(name: str, num_classes: int | None = None, shortcut: str | None = None) -> Module:
    """The model of that name, with fresh weights. Left out, num_classes and shortcut are the model's own defaults.

    ValueError: there is no such model, or it has no shortcuts to choose.
    """
    if name not in _MODELS:
        close = difflib.get_close_matches(name, _MODELS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"unknown model {name!r}; {hint}The models are: {', '.join(_MODELS)}")
    if shortcut is not None and "shortcut" not in signature(_MODELS[name]).parameters:
        raise ValueError(f"{name} has no shortcuts, so there is no option {shortcut!r} to choose")
    settings: dict[str, Any] = {"num_classes": num_classes, "shortcut": shortcut}
    return _MODELS[name](**{key: value for key, value in settings.items() if value is not None})


def input_shape(name: str) -> tuple[int, int, int]:
    """(C, H, W) of the images that the model was made for."""
    side = 224 if any(make.__name__ == name for make in _224x224) else 32
    return 3, side, side
