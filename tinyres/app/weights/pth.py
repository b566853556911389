"""Reads .pth files. They are pickles, so only torch's restricted reader opens them, which runs no code in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.weights.errors import WeightsError

WRAPPERS = (
    "state_dict",
    "net",
    "model",
    "model_state_dict",
    "state_dict_ema",
)  # where training scripts put it


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """{name: values} of the state_dict in a file that torch.save wrote. WeightsError: it cannot be read."""
    try:
        import torch
    except ImportError:
        raise WeightsError(
            f"{path}: a {path.suffix} file is a pickle, which can run code when it is opened, so it needs torch's "
            "restricted reader, and torch is not installed. Install it, or convert the weights to .safetensors or .npz"
        ) from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch's reader raises many types
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path}: torch's restricted reader refuses it ({reason})") from error
    state = unwrapped(found)
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if len(tensors) < len(state) or not state:
        others = [str(name) for name in state if name not in tensors]
        held = f"; it holds {', '.join(others[:5])}" if others else ""
        raise WeightsError(f"{path}: expected a state_dict of names and tensors{held}")
    return {name: as_array(value) for name, value in tensors.items()}


def unwrapped(found: Any) -> Mapping[str, Any]:
    """The state_dict: the whole file, or a part of a checkpoint with epoch and accuracy beside it."""
    if not isinstance(found, Mapping):
        return {f"a {type(found).__name__}": None}
    inner = (found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping))
    return next(inner, found)


def as_array(tensor: Any) -> np.ndarray:
    """The tensor as a NumPy array; bfloat16, which NumPy lacks, becomes float32."""
    values = tensor.detach()
    return (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
