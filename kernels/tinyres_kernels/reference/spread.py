"""An array placed in a larger one, with a border around it or gaps between its values.

y[first + step·i] = x[i] along every axis        y = value everywhere else
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array


def spread(x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float) -> Array:
    y = np.full(shape, value, x.dtype)
    for place in np.ndindex(x.shape):
        y[tuple(f + s * i for f, s, i in zip(first, step, place, strict=True))] = x[place]
    return y
