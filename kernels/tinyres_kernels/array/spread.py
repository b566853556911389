"""An array set into a larger one, in array code."""

from typing import Any

import numpy as np

Array = Any


def spread(x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float) -> Array:
    """x -> y of that shape, its bytes in the order of x's: y[first + step·i] = x[i], and value everywhere else"""
    y = np.full_like(x, value, shape=shape)  # NumPy's own pad would not keep the order
    y[tuple(slice(first[k], first[k] + step[k] * length, step[k]) for k, length in enumerate(x.shape))] = x
    return y
