"""Weight initialisation, in place, under torch's names.

The variance of a layer's output is fan_in · Var(w) · E(x²). To keep it constant through a deep net, Var(w) must be
1/fan_in, times a gain² that makes up for what the activation takes away: ReLU halves E(x²), so gain² = 2.
Glorot & Bengio 2010 (Xavier), eq. 12 and 16; He et al. 2015, eq. 10.
"""

import threading
from math import prod, sqrt

import numpy as np

from tinyres.autograd import Tensor
from tinyres.random import next_generator


class Mode(threading.local):
    drawing = True  # False inside tinyres.look.undrawn: weights are left zero


mode = Mode()


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Values spread evenly over a to b."""
    if not mode.drawing:
        return _leave_zero(tensor)
    return _write(tensor, next_generator("init").uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Values from the normal distribution."""
    if not mode.drawing:
        return _leave_zero(tensor)
    return _write(tensor, next_generator("init").normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    return _write(tensor, np.full(tensor.shape, val))


def ones_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    return constant_(tensor, 0.0)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """He initialisation: evenly from ±√3·gain/√fan. With a = √5 this is torch's default for conv and linear."""
    bound = sqrt(3) * calculate_gain(nonlinearity, a) / sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """He initialisation: normal with standard deviation gain/√fan; √(2/fan) for ReLU."""
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / sqrt(_fan(tensor, mode)))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Glorot initialisation: evenly from ±gain·√(6/(fan_in + fan_out))."""
    bound = gain * sqrt(6 / sum(calculate_fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Glorot initialisation: normal with standard deviation gain·√(2/(fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * sqrt(2 / sum(calculate_fans(tensor))))


def torch_default_(weight: Tensor, bias: Tensor | None) -> None:
    """Evenly from ±1/√fan_in, weight and bias alike: torch's default for convolutions and linear layers."""
    kaiming_uniform_(weight, a=sqrt(5))
    if bias is not None:
        bound = 1 / sqrt(calculate_fans(weight)[0])
        uniform_(bias, -bound, bound)


def calculate_gain(nonlinearity: str, param: float = 0.01) -> float:
    """√(1/what the activation leaves of E(x²)); `param` is leaky ReLU's negative slope."""
    gains = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2)}
    gains["leaky_relu"] = sqrt(2 / (1 + param * param))
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: expected one of {', '.join(gains)}, got {nonlinearity!r}")
    return gains[nonlinearity]


def calculate_fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output sees, and how many outputs each input reaches."""
    if tensor.ndim < 2:
        raise ValueError(f"fans are defined for weights of 2 axes or more, got {tensor.shape}")
    window = prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"expected mode 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_fans(tensor)[mode == "fan_out"]


def _write(tensor: Tensor, values: np.ndarray) -> Tensor:
    tensor.data[...] = np.asarray(values, dtype=tensor.dtype, like=tensor.data)
    return tensor


def _leave_zero(tensor: Tensor) -> Tensor:
    """A new array: writing into the old one would touch its memory."""
    tensor.data = np.zeros(tensor.shape, tensor.dtype, like=tensor.data)
    return tensor
