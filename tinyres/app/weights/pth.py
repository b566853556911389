"""A .pth is a pickle. The only file here that opens one, and only through torch's reader that runs no code in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.weights.errors import WeightsError

WRAPPERS = ("state_dict", "net", "model", "model_state_dict", "state_dict_ema")  # under which training scripts save it


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """{name: values} of the state_dict in a file that torch.save wrote. WeightsError: no torch, or no such file."""
    try:
        import torch
    except ImportError:
        raise WeightsError(
            f"{path}: a {path.suffix} file is a pickle, which can run code when it is opened; only torch's restricted "
            "reader may, and torch is not installed. Install it, or bring the weights as .safetensors or .npz"
        ) from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch's reader raises many kinds
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path}: torch's restricted reader refuses it ({reason})") from error
    state = unwrapped(found)
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if len(tensors) < len(state) or not state:
        others = [str(name) for name in state if name not in tensors]
        held = f"; it holds {', '.join(others[:5])}" if others else ""
        raise WeightsError(f"{path}: expected a state_dict, names and their tensors{held}")
    return {name: as_array(value) for name, value in tensors.items()}


def unwrapped(found: Any) -> Mapping[str, Any]:
    """The state_dict, whether it is all there is or stands in a checkpoint beside epoch and accuracy."""
    if not isinstance(found, Mapping):
        return {f"a {type(found).__name__}": None}
    inner = (found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping))
    return next(inner, found)


def as_array(tensor: Any) -> np.ndarray:
    """NumPy has no bfloat16: those become float32."""
    values = tensor.detach()
    return (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
