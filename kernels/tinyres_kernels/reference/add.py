"""y = a + b as its definition, with broadcasting."""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array


def add(a: Array, b: Array) -> Array:
    a_repeated, b_repeated = np.broadcast_arrays(a, b)
    y = np.empty(a_repeated.shape, np.result_type(a, b))
    for place in np.ndindex(y.shape):
        y[place] = a_repeated[place] + b_repeated[place]
    return y
