"""An array placed in a larger one, in array code."""

import numpy as np

from tinyres_kernels.contract import Array


def spread(x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float) -> Array:
    y = np.full_like(x, value, shape=shape)  # NumPy's own pad would not keep the order
    y[tuple(slice(first[k], first[k] + step[k] * length, step[k]) for k, length in enumerate(x.shape))] = x
    return y
