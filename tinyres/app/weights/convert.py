"""Converts a state with the names of another repository to ours: recognises the network, and checks that all fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from inspect import signature

import numpy as np

from tinyres import models
from tinyres.app.weights.errors import WeightsError
from tinyres.app.weights.load import State, fit, without_module
from tinyres.app.weights.naming import BOTH, NAMINGS, has_option_a, recognise, reordered, to_ours, to_theirs

# blocks in each stage, convolutions in a block, the first convolution's size -> the model
FOUR_STAGES: dict[tuple[tuple[int, ...], int, int], str] = {
    ((2, 2, 2, 2), 2, 3): "resnet18_cifar",
    ((2, 2, 2, 2), 2, 7): "resnet18",
    ((3, 4, 6, 3), 2, 7): "resnet34",
    ((3, 4, 6, 3), 3, 7): "resnet50",
    ((3, 4, 23, 3), 3, 7): "resnet101",
    ((3, 8, 36, 3), 3, 7): "resnet152",
}


@dataclass(frozen=True)
class Converted:
    """state: with our names. notes: what was done, one sentence each."""

    state: dict[str, np.ndarray]
    model: str
    shortcut: str | None
    num_classes: int
    notes: tuple[str, ...]


def convert(state: State, model: str | None = None, zeros: str | None = None, source: str = "the state") -> Converted:
    """Recognise the naming and the network, rename, and check that all fits.

    model: the name of the model; None: recognise it
    zeros: "both" or "behind", where the file's shortcuts A put the zeros; None: as the repository of these names does
    WeightsError: lists the names that do not fit
    """
    notes = []
    bare = without_module(state)
    key = recognise(bare)
    if key is not None:
        naming = NAMINGS[key]
        bare = to_ours(bare, naming)
        notes.append(f"names as in {naming.repository}")
        side = zeros or naming.zeros
        if side == BOTH and has_option_a(bare) and is_basic(bare):
            bare = reordered(bare)
            notes.append(
                "its shortcuts have zeros before and behind the old channels, ours behind: channels were moved"
            )
    name = model or guess_model(bare, source)
    num_classes = classes_of(bare, source)
    shortcut = shortcut_of(bare) if "shortcut" in signature(getattr(models, name)).parameters else None
    fitted, more = fit(models.build(name, num_classes, shortcut), bare, source)
    return Converted(fitted, name, shortcut, num_classes, (*notes, *more))


def export(converted: Converted, naming: str, zeros: str | None = None) -> dict[str, np.ndarray]:
    """The opposite: our state with the names of another repository."""
    chosen = NAMINGS[naming]
    state: State = converted.state
    if (zeros or chosen.zeros) == BOTH and has_option_a(state) and is_basic(state):
        state = reordered(state, back=True)
    return to_theirs(state, chosen)


def is_basic(state: State) -> bool:
    """Is it a ResNet of blocks with two convolutions, whose channels may be moved? The names are ours."""
    return {"layer1.0.conv2.weight", "fc.weight"} <= state.keys() and "layer1.0.conv3.weight" not in state


def guess_model(state: State, source: str) -> str:
    """The name of our model with the same stages, blocks and channels."""
    blocks = {(int(found[1]), int(found[2])) for name in state if (found := re.match(r"layer(\d+)\.(\d+)\.", name))}
    counts = tuple(sum(stage == k for stage, _ in blocks) for k in range(1, 1 + max((s for s, _ in blocks), default=0)))
    if counts and "conv1.weight" in state and state["conv1.weight"].ndim == 4:
        width, size = len(state["conv1.weight"]), state["conv1.weight"].shape[2]
        convolutions = 3 if "layer1.0.conv3.weight" in state else 2
        cifar = f"resnet{6 * counts[0] + 2}"
        if (
            len(set(counts)) == 1
            and (len(counts), convolutions, width, size) == (3, 2, 16, 3)
            and cifar in models.names()
        ):
            return cifar
        if width == 64 and (counts, convolutions, size) in FOUR_STAGES:
            return FOUR_STAGES[counts, convolutions, size]
    few = ", ".join(list(state)[:4])
    raise WeightsError(f"{source}: its {len(state)} names ({few}, …) belong to no known model; name it with --model")


def classes_of(state: State, source: str) -> int:
    """The number of scores of its last linear layer."""
    matrices = [values for values in state.values() if values.ndim == 2]
    if not matrices:
        raise WeightsError(f"{source}: expected a classifier, but it has no linear layer")
    named = (state.get(f"{name}.weight") for name in ("fc", "classifier", "classifier.6"))
    return len(next((values for values in named if values is not None and values.ndim == 2), matrices[-1]))


def shortcut_of(state: State) -> str:
    projected = [name for name in state if name.endswith((".downsample.0.weight", ".downsample.weight"))]
    if not projected:
        return "A"
    every = any(re.match(r"layer\d+\.[1-9]", name) for name in projected)  # not only in the first block of a stage
    return "C" if every else "B"
