"""y = max(x, 0) as its definition. A NaN stays NaN: if it vanished here, nobody would see where training broke."""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array


def relu(x: Array) -> Array:
    y = np.empty(x.shape, x.dtype)
    for place in np.ndindex(x.shape):
        y[place] = 0 if x[place] <= 0 else x[place]
    return y


def relu_grad_x(gy: Array, y: Array) -> Array:
    gx = np.empty(gy.shape, gy.dtype)
    for place in np.ndindex(gy.shape):
        gx[place] = gy[place] if y[place] > 0 else 0
    return gx
