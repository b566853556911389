"""Checkpoints: a network's weights and the state of its optimiser, in a safetensors file.

The weights have the names that `state_dict` gives them, as users of safetensors expect. The names of the optimiser's
arrays begin with "optimizer/". Everything else is in the file's metadata, each entry a JSON text: which network it is,
how its images are normalised, and how far training has come. A pickle can run any code when it is read; this cannot.

safetensors itself does not notice a flipped bit. So the metadata have one more entry, "sha256": the SHA-256 of the
whole file, header included, computed with 64 zeros in place of the digest. Other readers of safetensors see an
ordinary entry.
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

FORMAT_VERSION = 2  # version 1 had a digest of the arrays only
OPTIMIZER = "optimizer/"
UNSEALED = b"0" * 64
SEAL = re.compile(rb'"sha256":"([0-9a-f]{64})"')  # inside a JSON text a quote is \", so only the entry looks like this
LENGTH = 8  # bytes at the beginning of the file: the length of the header
CURE = "copy the file again, or train again"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)  # raised by nonsense


@dataclass
class Checkpoint:
    """The content of a file.

    weights:   the network's state_dict
    optimizer: the optimiser's state_dict; empty if only the weights were kept
    about:     anything that JSON can hold; see State.about
    """

    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


def save(checkpoint: Checkpoint, path: Path, before: Path | None = None) -> None:
    """Write the whole file or nothing. The old file is renamed to `before`, if that is given."""
    write_atomically(path, *encode(checkpoint), before=before)


def encode(checkpoint: Checkpoint) -> tuple[bytes | memoryview, ...]:
    """The file's bytes, in three parts."""
    from safetensors.numpy import save as to_bytes

    # order="C": safetensors writes the bytes as they lie in memory, which would be wrong for a transposed array.
    everything = {**checkpoint.weights, **{OPTIMIZER + name: a for name, a in checkpoint.optimizer.items()}}
    tensors = {name: np.asarray(array, order="C") for name, array in everything.items()}
    about = {"format_version": FORMAT_VERSION, **checkpoint.about}
    metadata = {key: json.dumps(value) for key, value in about.items()}
    content = memoryview(to_bytes(tensors, {**metadata, "sha256": UNSEALED.decode()}))
    place = seal_of(content)
    return content[: place.start], fingerprint(content, place), content[place.stop :]


def load(path: Path) -> Checkpoint:
    """Read the file. RunError: it is missing or of another version. Damaged: its content is not what was written."""
    try:
        return decode(_read(path), path)
    except FileNotFoundError:
        raise RunError(f"{path}: no such checkpoint") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error
    except UNREADABLE as error:
        raise _damaged(path, error) from error


def decode(raw: bytes, path: Path) -> Checkpoint:
    """The content of these bytes, which were read from `path`. Errors as in load."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        content = memoryview(raw)
        header = json.loads(content[LENGTH : _end_of_header(content)].tobytes())
        metadata = dict(header.get("__metadata__", {}))
        if "format_version" not in metadata:
            raise RunError(f"{path}: not written by tinyres, for it does not describe a network; {CURE}")
        if metadata["format_version"] != str(FORMAT_VERSION):
            wrong = f"expected format version {FORMAT_VERSION}, got {metadata['format_version']:.20}"
            raise RunError(f"{path}: {wrong}; use the tinyres that wrote it")
        place = seal_of(content)
        if fingerprint(content, place) != content[place].tobytes():
            raise Damaged(f"{path}: damaged: its content is not what was written; {CURE}")
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
    """Copy the checkpoint's weights into the model of that name. RunError: they are those of another model."""
    found = checkpoint.about.get("model")
    if found != name:
        raise RunError(f"{path}: holds a {found}, but the run trains a {name}; put the run's own checkpoint back")
    try:
        model.load_state_dict(checkpoint.weights)
    except ValueError as error:
        raise RunError(f"{path}: holds another {name} ({error}); put the run's own checkpoint back") from error


# ---- the file's bytes ------------------------------------------------------------------------------------------------


def seal_of(content: memoryview) -> slice:
    """The place of the digest. ValueError: there is none, or more than one."""
    places = [found.span(1) for found in SEAL.finditer(content[: _end_of_header(content)])]
    if len(places) != 1:
        raise ValueError(f"expected one SHA-256 in the header, got {len(places)}")
    return slice(*places[0])


def fingerprint(content: memoryview, place: slice) -> bytes:
    """The SHA-256 of the content with zeros in this place: 64 hexadecimal digits."""
    digest = hashlib.sha256(content[: place.start])
    digest.update(UNSEALED)
    digest.update(content[place.stop :])
    return digest.hexdigest().encode()


def _damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(f"{path}: damaged, or not a checkpoint ({error}); {CURE}")


def _end_of_header(content: memoryview) -> int:
    return LENGTH + int.from_bytes(content[:LENGTH], "little")


def _read(path: Path) -> bytes:
    """The whole file. ValueError, before anything is read: the header would be longer than the file."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        announced = int.from_bytes(file.read(LENGTH), "little")
        if not 0 < announced <= size - LENGTH:
            raise ValueError(f"expected a header within the {size:,} bytes of the file, got one of {announced:,}")
        file.seek(0)
        return file.read()
