"""Checkpoints: a network's weights, and what training remembers, in a safetensors file.

The weights stand under the names of `state_dict`, as safetensors users expect them; what the optimiser remembers
stands under "optimizer/…". The rest is the file's metadata, each entry a JSON text: what the network is, how its
images are to be normalised, and where training stands. A pickle could run any code when it is read; this cannot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.nn import Module
from tinyres.training.errors import RunError
from tinyres.training.files import write_atomically

FORMAT_VERSION = 1
OPTIMIZER = "optimizer/"


@dataclass
class Checkpoint:
    """What a file holds.

    weights:   the network's state_dict
    optimizer: the optimiser's state_dict; empty where the weights alone are kept
    about:     anything that JSON can hold; see Trainer.about
    """

    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write the file whole or not at all."""
    from safetensors.numpy import save as to_bytes

    # order="C": safetensors writes an array's bytes as they lie, a transposed one under the wrong names.
    everything = {**checkpoint.weights, **{OPTIMIZER + name: a for name, a in checkpoint.optimizer.items()}}
    tensors = {name: np.asarray(array, order="C") for name, array in everything.items()}
    about = {"format_version": FORMAT_VERSION, **checkpoint.about}
    metadata = {key: json.dumps(value) for key, value in about.items()}
    metadata["sha256"] = _fingerprint(tensors, metadata)
    write_atomically(path, to_bytes(tensors, metadata))


def load(path: Path) -> Checkpoint:
    """Read the file. RunError: it is missing, damaged, or of another version."""
    from safetensors import SafetensorError, safe_open

    cure = "copy the file anew, or train again"
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint") from None
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path}: damaged or no checkpoint ({error}); {cure}") from error
    if "format_version" not in metadata:
        raise RunError(f"{path}: not written by tinyres, for it says nothing of the network; {cure}")
    if metadata["format_version"] != str(FORMAT_VERSION):
        found = metadata["format_version"]
        raise RunError(f"{path}: expected format version {FORMAT_VERSION}, got {found}; use the tinyres that wrote it")
    if metadata.pop("sha256", None) != _fingerprint(tensors, metadata):
        raise RunError(f"{path}: damaged, for its content is not what was written; {cure}")
    return Checkpoint(
        weights={name: a for name, a in tensors.items() if not name.startswith(OPTIMIZER)},
        optimizer={name.removeprefix(OPTIMIZER): a for name, a in tensors.items() if name.startswith(OPTIMIZER)},
        about={key: json.loads(value) for key, value in metadata.items() if key != "format_version"},
    )


def load_weights(model: Module, checkpoint: Checkpoint, path: Path, name: str) -> None:
    """Write the checkpoint's weights into the model of that name. RunError: they are another model's."""
    found = checkpoint.about["model"]
    if found != name:
        raise RunError(f"{path}: holds a {found}, but the run is of a {name}; put the run's own checkpoint back")
    try:
        model.load_state_dict(checkpoint.weights)
    except ValueError as error:
        raise RunError(f"{path}: holds another {name} ({error}); put the run's own checkpoint back") from error


def _fingerprint(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """SHA-256 of all that a file holds: what a copy that went wrong does not match."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\n".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()
