"""y = max(x, 0) in array code."""

import numpy as np

from tinyres_kernels.contract import Array


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def relu_grad_x(gy: Array, y: Array) -> Array:
    return gy * (y > 0)  # np.where would be clearer but takes ten times as long
