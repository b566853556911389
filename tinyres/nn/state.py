"""Writing saved values into the parameters and buffers of a module."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.device import to_device


def load_state(owner: str, own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> None:
    """Write the arrays or Tensors of `state` into the tensors of the same names in `own`; see Module.load_state_dict.

    owner: whose tensors they are, for the error message
    """
    problems = [f"{name} {what}" for name, what in _mismatches(own, state, strict)]
    if problems:
        more = f" and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ValueError(f"{owner}: this state does not fit: {', '.join(problems[:8])}{more}")
    for name in own.keys() & state.keys():
        own[name].data[...] = to_device(_values(state[name]), own[name].device)


def _mismatches(own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> Iterator[tuple[str, str]]:
    if strict:
        yield from ((name, "is missing") for name in own if name not in state)
        yield from ((name, "is unknown here") for name in state if name not in own)
    for name in own:
        if name in state and (given := _values(state[name]).shape) != own[name].shape:
            yield name, f"is {given}, expected {own[name].shape}"


def _values(value: Any) -> Array:
    return value.data if isinstance(value, Tensor) else np.asarray(value)
