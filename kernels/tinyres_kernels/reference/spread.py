"""An array set into a larger one: a border around it, or gaps between its values.

y[first + step·i] = x[i] along every axis        y = value everywhere else
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def spread(x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float) -> Array:
    """x -> y of that shape"""
    y = np.full(shape, value, x.dtype)
    for place in np.ndindex(x.shape):
        y[tuple(f + s * i for f, s, i in zip(first, step, place, strict=True))] = x[place]
    return y
