"""Loads weights into one of our models, and adapts what differs in published files.

Our names are torchvision's, and timm's are the same for ResNets and DenseNets. Published files differ in four ways:

- densenet121's file was written when layers were still called norm.1 and conv.2 (torchvision renames them too);
- GoogLeNet's file has two auxiliary classifiers, which only training used;
- files older than torch 0.4.1 have no num_batches_tracked; it changes no result, so the model keeps its own;
- files that were saved from DataParallel have "module." before every name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tinyres.app.weights.errors import WeightsError
from tinyres.app.weights.files import read
from tinyres.models.googlenet import GoogLeNet
from tinyres.nn import Module

State = Mapping[str, np.ndarray]
PARALLEL = "module."
OLD_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
AUXILIARY = ("aux1.", "aux2.")
COUNTER = "num_batches_tracked"


def load_weights(model: Module, path: str | Path) -> list[str]:
    """Load the file's weights into the model; the names in the file are torchvision's.

    path: .safetensors or .npz, or .pth if torch is installed
    Returns one sentence for each thing that had to be adapted.
    WeightsError: names are missing or unknown, or shapes differ. The model is then unchanged.
    """
    state, notes = fit(model, read(path), str(path))
    model.load_state_dict(state)
    return notes


def fit(model: Module, given: State, source: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """The state, adapted to fit the model, and one sentence for each thing that had to be adapted."""
    state, notes = without_module(given), []
    own = model.state_dict()
    renamed = {OLD_DENSE_LAYER.sub(r"\1\2.", name): values for name, values in state.items()}
    if renamed.keys() != state.keys():
        state = renamed
        notes.append("its dense layers have their old names, norm.1 for norm1, and were renamed")
    if isinstance(model, GoogLeNet) and any(name.startswith(AUXILIARY) for name in state):
        state = {name: values for name, values in state.items() if not name.startswith(AUXILIARY)}
        notes.append("its auxiliary classifiers, aux1 and aux2, are left out: only training needs them")
    uncounted = [name for name in own if name.endswith(COUNTER) and name not in state]
    if uncounted:
        state |= {name: own[name] for name in uncounted}
        notes.append(
            f"it has no {COUNTER} for {len(uncounted)} batch norms: the model keeps its own, which change nothing"
        )
    problems = list(mismatches(own, state))
    if problems:
        more = [f"and {len(problems) - 8} more"] if len(problems) > 8 else []
        hints = [f"\n{hint}" for hint in hints_for(own, state)]
        raise WeightsError(
            f"{source}: does not fit {type(model).__name__}:\n  " + "\n  ".join(problems[:8] + more) + "".join(hints)
        )
    return state, notes


def without_module(state: State) -> dict[str, np.ndarray]:
    """The state without the "module." that torch's DataParallel puts before every name."""
    if not all(name.startswith(PARALLEL) for name in state):
        return dict(state)
    return {name.removeprefix(PARALLEL): values for name, values in state.items()}


def mismatches(own: State, state: State) -> Iterator[str]:
    yield from (f"{name} is missing" for name in own if name not in state)
    yield from (f"{name} is unknown here" for name in state if name not in own)
    for name in own:
        if name in state and state[name].shape != own[name].shape:
            yield f"{name} is {state[name].shape}, expected {own[name].shape}"


def hints_for(own: State, state: State) -> Iterator[str]:
    """Hints about the origin of these weights, by their names."""
    if "conv1.0.weight" in state and "conv1.weight" in own:
        yield "It has a stem of several convolutions, like timm's resnet50d, so it is a different network."
    if any(".downsample.2." in name for name in state):
        yield "It has an average pooling in its shortcuts, like timm's resnet50d, so it is a different network."
    if any(re.search(r"(^linear\.|\.shortcut\.|\.residual_function\.|^stage_)", name) for name in state):
        yield "These are names from a repository with ResNets for CIFAR: `tinyres convert` changes them to ours."
    for name, values in state.items():
        if name in own and name.endswith((".weight", "weight")) and values.ndim == own[name].ndim == 2:
            theirs, ours = values.shape, own[name].shape
            if theirs[1] == ours[1] and theirs[0] != ours[0]:
                yield f"It knows {theirs[0]} classes: build the model with num_classes={theirs[0]}."
