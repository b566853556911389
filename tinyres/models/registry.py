"""Finding a network by its name."""

import difflib
from importlib import import_module
from inspect import signature
from typing import Any

from tinyres.nn import Module

# The files of tinyres.models, and the networks in each.
FOR_32x32 = {
    "resnet": "resnet8 resnet20 resnet32 resnet44 resnet56 resnet110 resnet1202 resnet18_cifar",
    "plain": "plain20 plain32 plain44 plain56 plain110",
    "nin": "nin",
    "vgg": "vgg16_cifar",
    "preact": "preactresnet20 preactresnet32 preactresnet44 preactresnet56 preactresnet110 preactresnet164",
    "highway": "highway20 highway32",
    "densenet": "densenet_bc100",
    "fpn": "resnet20_fpn",
}
FOR_224x224 = {
    "resnet_imagenet": "resnet18 resnet34 resnet50 resnet101 resnet152",
    "plain": "plain18 plain34",
    "alexnet": "alexnet",
    "googlenet": "googlenet",
    "vgg": "vgg16 vgg19",
    "densenet": "densenet121",
}
FILES = {name: file for files in (FOR_32x32, FOR_224x224) for file, row in files.items() for name in row.split()}


def names() -> list[str]:
    """All models' names."""
    return list(FILES)


def build(name: str, num_classes: int | None = None, shortcut: str | None = None) -> Module:
    """The model of that name, with fresh weights. num_classes and shortcut: the model's own defaults if left out.

    ValueError: there is no such model, or it has no shortcuts to choose.
    """
    if name not in FILES:
        close = difflib.get_close_matches(name, FILES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"unknown model {name!r}; {hint}The models are: {', '.join(FILES)}")
    make = getattr(import_module(f"tinyres.models.{FILES[name]}"), name)
    if shortcut is not None and "shortcut" not in signature(make).parameters:
        raise ValueError(f"{name} has no shortcuts, so there is no option {shortcut!r} to choose")
    settings: dict[str, Any] = {"num_classes": num_classes, "shortcut": shortcut}
    return make(**{key: value for key, value in settings.items() if value is not None})


def input_shape(name: str) -> tuple[int, int, int]:
    """(C, H, W) of the images that the model was made for."""
    side = 224 if any(name in row.split() for row in FOR_224x224.values()) else 32
    return 3, side, side
