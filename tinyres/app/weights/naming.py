"""How well-known repositories with ResNets for CIFAR name their layers, and where they put a shortcut's zeros.

More than the names differs. Shortcut A adds zeros for the new channels (He et al. 2016, sec. 4.2, does not say on which
side). We put all of them behind the old channels; akamaster's pytorch_resnet_cifar10 puts half before and half behind,
so our channel 0 is its channel 8. `reordered` moves the channels, so that both nets compute the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

State = Mapping[str, np.ndarray]
BEHIND, BOTH = "behind", "both"


class Naming(NamedTuple):
    """repository: on GitHub
    mark: a pattern that only its names match
    pairs: its name and our name of a layer; names that begin with a dot occur inside a path, others at its start
    zeros: on which side of the old channels shortcut A puts the new ones
    """

    repository: str
    mark: str
    pairs: tuple[tuple[str, str], ...]
    zeros: str = BEHIND


LINEAR = (("linear.", "fc."), (".shortcut.", ".downsample."))

NAMINGS = {
    "pytorch-cifar100": Naming(
        "weiaicunzai/pytorch-cifar100",
        r"\.residual_function\.",
        (
            ("conv1.0.", "conv1."),
            ("conv1.1.", "bn1."),
            *((f"conv{k + 1}_x.", f"layer{k}.") for k in (1, 2, 3, 4)),
            *((f".residual_function.{3 * k}.", f".conv{k + 1}.") for k in (0, 1, 2)),
            *((f".residual_function.{3 * k + 1}.", f".bn{k + 1}.") for k in (0, 1, 2)),
            (".shortcut.", ".downsample."),
        ),
    ),
    "pytorch-cifar": Naming("kuangliu/pytorch-cifar", r"\.shortcut\.", LINEAR),
    "pytorch_resnet_cifar10": Naming("akamaster/pytorch_resnet_cifar10", r"^linear\.", LINEAR, zeros=BOTH),
    "ResNeXt-DenseNet": Naming(
        "D-X-Y/ResNeXt-DenseNet",
        r"^stage_1\.",
        (
            ("conv_1_3x3.", "conv1."),
            ("bn_1.", "bn1."),
            ("classifier.", "fc."),
            *((f"stage_{k}.", f"layer{k}.") for k in (1, 2, 3)),
            *((f".{kind}_{letter}.", f".{kind}{k}.") for kind in ("conv", "bn") for k, letter in ((1, "a"), (2, "b"))),
        ),
    ),
    "torchvision": Naming("pytorch/vision, chenyaofo/pytorch-cifar-models and others", r"^fc\.", ()),
}


def recognise(state: State) -> str | None:
    """The key of the first naming in NAMINGS whose mark matches one of the names."""
    for key, naming in NAMINGS.items():
        if any(re.search(naming.mark, name) for name in state):
            return key
    return None


def to_ours(state: State, naming: Naming) -> dict[str, np.ndarray]:
    return {renamed(name, naming.pairs): values for name, values in state.items()}


def to_theirs(state: State, naming: Naming) -> dict[str, np.ndarray]:
    back = tuple((ours, theirs) for theirs, ours in naming.pairs)
    return {renamed(name, back): values for name, values in state.items()}


def renamed(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """The name with its start replaced by the first pair that fits, and likewise one part inside it."""
    outer = next(((old, new) for old, new in pairs if old[0] != "." and name.startswith(old)), ("", ""))
    name = outer[1] + name.removeprefix(outer[0])
    inner = next(((old, new) for old, new in pairs if old[0] == "." and old in name), None)
    return name.replace(*inner, 1) if inner else name


def has_option_a(state: State) -> bool:
    """Do its shortcuts have no weights? The names are ours."""
    return not any(".downsample." in name for name in state)


def reordered(state: State, back: bool = False) -> dict[str, np.ndarray]:
    """A state of a net with shortcuts A and zeros on both sides, its channels moved to where zeros behind put them.

    The names are ours. back: from zeros behind to zeros on both sides.
    """
    orders = {k: order if not back else np.argsort(order) for k, order in channel_orders(state).items()}
    last = max(orders)
    moved = {}
    for name, values in state.items():
        block = re.match(r"layer(\d+)\.(\d+)\.(conv1|conv2|bn2)\.", name)
        if name == "fc.weight":
            values = values[:, orders[last]]
        elif block and values.ndim > 0:
            stage, number, layer = int(block[1]), int(block[2]), block[3]
            if layer == "conv1":  # reads the output of the block before
                reads = stage - 1 if number == 0 and stage > 1 else stage
                values = values[:, orders[reads]]
            else:
                values = values[orders[stage]]
        moved[name] = values
    return moved


def channel_orders(state: State) -> dict[int, np.ndarray]:
    """{stage: their channel numbers, in the order of our channels 0, 1, …}

    From a stage of w channels to one of W, the old channels are W/4 … W/4 + w − 1 in their net, 0 … w − 1 in ours.
    """
    widths = {}
    for name, values in state.items():
        found = re.fullmatch(r"layer(\d+)\.0\.conv2\.weight", name)
        if found:
            widths[int(found[1])] = len(values)
    orders = {1: np.arange(widths[1])}
    for stage in range(2, len(widths) + 1):
        w, W = widths[stage - 1], widths[stage]
        before = W // 4
        old = before + orders[stage - 1]
        orders[stage] = np.concatenate([old, np.arange(before), np.arange(before + w, W)])
    return orders
