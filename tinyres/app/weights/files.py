"""Reads and writes files of weights, as {name: array}."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinyres.app.training.files import write_atomically
from tinyres.app.weights.errors import WeightsError
from tinyres.app.weights.pth import read_pth
from tinyres.nn import Module

PICKLES = (".pth", ".pt", ".th", ".bin", ".tar")
ENDINGS = (".safetensors", ".npz", *PICKLES)
OPTIMIZER = "optimizer/"  # the prefix of the optimizer's state in our checkpoints


def read(path: str | Path) -> dict[str, np.ndarray]:
    """{name: values} of everything in the file. WeightsError: it cannot be read. OSError: it does not exist."""
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise WeightsError(f"{path}: expected a file of weights with a name ending in {', '.join(ENDINGS)}")
    if path.suffix in PICKLES:
        return read_pth(path)
    return read_safetensors(path) if path.suffix == ".safetensors" else read_npz(path)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: NumPy lacks the dtype
        raise WeightsError(f"{path}: damaged, or of a type that NumPy lacks ({error})") from error
    return {name: values for name, values in state.items() if not name.startswith(OPTIMIZER)}


def read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:  # arrays of objects are pickles
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (
        ValueError,
        TypeError,
        OSError,
        EOFError,
        MemoryError,
        zipfile.BadZipFile,
    ) as error:  # TypeError: .npy
        raise WeightsError(f"{path}: damaged, or not an .npz file of plain arrays ({error})") from error


def save_weights(model: Module | Mapping[str, np.ndarray], path: str | Path, /, **metadata: str) -> None:
    """Write a model's state, or one that was read, to .safetensors or .npz, which torch and others can load.

    In torch: `model.load_state_dict(safetensors.torch.load_file(path))`. metadata: strings to store in .safetensors.
    """
    path = Path(path)
    state = model.state_dict() if isinstance(model, Module) else model
    if path.suffix == ".npz":
        np.savez(path, **{name: np.asarray(values) for name, values in state.items()})  # type: ignore[arg-type]
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save

        # order="C": safetensors writes the bytes in memory order, which would scramble a transposed array.
        tensors = {name: np.array(values, order="C") for name, values in state.items()}
        write_atomically(path, save(tensors, {"format": "pt", **metadata}))
    else:
        raise WeightsError(f"{path}: expected a name ending in .safetensors or .npz")
