"""Checkpoints: a network's weights, and what training remembers, in a safetensors file.

The weights stand under the names of `state_dict`, as safetensors users expect them; what the optimiser remembers
stands under "optimizer/…". The rest is the file's metadata, each entry a JSON text: what the network is, how its
images are to be normalised, and where training stands. A pickle could run any code when it is read; this cannot.

safetensors itself notices no flipped bit. So the metadata have one entry more, "sha256": the SHA-256 of the whole
file, lengths and names and all, as the file is while 64 zeros stand in the digest's place. Other readers of
safetensors see an entry like any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.training.errors import Damaged, RunError
from tinyres.app.training.files import write_atomically
from tinyres.nn import Module

FORMAT_VERSION = 2  # 1 had a digest of the arrays and not of the file
OPTIMIZER = "optimizer/"
UNSEALED = b"0" * 64
SEAL = re.compile(rb'"sha256":"([0-9a-f]{64})"')  # inside a JSON text a quote is \", so only the entry looks like this
LENGTH = 8  # bytes at the beginning that say how long the header is
CURE = "copy the file anew, or train again"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)  # what nonsense leads to


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


def save(checkpoint: Checkpoint, path: Path, before: Path | None = None) -> None:
    """Write the file whole or not at all; the one that lay there is kept as `before`, if that is given."""
    write_atomically(path, *encode(checkpoint), before=before)


def encode(checkpoint: Checkpoint) -> tuple[bytes | memoryview, ...]:
    """The file's bytes, in three parts."""
    from safetensors.numpy import save as to_bytes

    # order="C": safetensors writes an array's bytes as they lie, a transposed one under the wrong names.
    everything = {**checkpoint.weights, **{OPTIMIZER + name: a for name, a in checkpoint.optimizer.items()}}
    tensors = {name: np.asarray(array, order="C") for name, array in everything.items()}
    about = {"format_version": FORMAT_VERSION, **checkpoint.about}
    metadata = {key: json.dumps(value) for key, value in about.items()}
    content = memoryview(to_bytes(tensors, {**metadata, "sha256": UNSEALED.decode()}))
    place = seal_of(content)
    return content[: place.start], fingerprint(content, place), content[place.stop :]


def load(path: Path) -> Checkpoint:
    """Read the file. RunError: it is missing, or of another version. Damaged: it is not what was written."""
    try:
        return decode(_read(path), path)
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def decode(raw: bytes, path: Path) -> Checkpoint:
    """What these bytes hold, which are `path`'s. Errors as above."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        content = memoryview(raw)
        header = json.loads(content[LENGTH : _end_of_header(content)].tobytes())
        metadata = dict(header.get("__metadata__", {}))
        if "format_version" not in metadata:
            raise RunError(f"{path}: not written by tinyres, for it says nothing of the network; {CURE}")
        if metadata["format_version"] != str(FORMAT_VERSION):
            wrong = f"expected format version {FORMAT_VERSION}, got {metadata['format_version']:.20}"
            raise RunError(f"{path}: {wrong}; use the tinyres that wrote it")
        place = seal_of(content)
        if fingerprint(content, place) != content[place].tobytes():
            raise Damaged(f"{path}: damaged, for its content is not what was written; {CURE}")
        tensors = from_bytes(raw)
        about = {key: json.loads(value) for key, value in metadata.items() if key not in ("format_version", "sha256")}
    except (SafetensorError, *UNREADABLE) as error:
        raise _damaged(path, error) from error
    return Checkpoint(
        weights={name: a for name, a in tensors.items() if not name.startswith(OPTIMIZER)},
        optimizer={name.removeprefix(OPTIMIZER): a for name, a in tensors.items() if name.startswith(OPTIMIZER)},
        about=about,
    )


def load_weights(model: Module, checkpoint: Checkpoint, path: Path, name: str) -> None:
    """Write the checkpoint's weights into the model of that name. RunError: they are another model's."""
    found = checkpoint.about.get("model")
    if found != name:
        raise RunError(f"{path}: holds a {found}, but the run is of a {name}; put the run's own checkpoint back")
    try:
        model.load_state_dict(checkpoint.weights)
    except ValueError as error:
        raise RunError(f"{path}: holds another {name} ({error}); put the run's own checkpoint back") from error


# ---- the file's bytes ------------------------------------------------------------------------------------------------


def seal_of(content: memoryview) -> slice:
    """Where the digest stands. ValueError: nowhere, or more than once."""
    places = [found.span(1) for found in SEAL.finditer(content[: _end_of_header(content)])]
    if len(places) != 1:
        raise ValueError(f"expected one SHA-256 in the header, got {len(places)}")
    return slice(*places[0])


def fingerprint(content: memoryview, place: slice) -> bytes:
    """The SHA-256, 64 hex digits, of the content with zeros in this place."""
    digest = hashlib.sha256(content[: place.start])
    digest.update(UNSEALED)
    digest.update(content[place.stop :])
    return digest.hexdigest().encode()


def _damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(f"{path}: damaged or no checkpoint ({error}); {CURE}")


def _end_of_header(content: memoryview) -> int:
    return LENGTH + int.from_bytes(content[:LENGTH], "little")


def _read(path: Path) -> bytes:
    """The whole file; nothing is read if its first bytes announce a header that is longer than the file."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        announced = int.from_bytes(file.read(LENGTH), "little")
        if not 0 < announced <= size - LENGTH:
            raise ValueError(f"a header of {announced:,} bytes is announced, in a file of {size:,}")
        file.seek(0)
        return file.read()
