"""y = max(batch_norm(x) + residual, 0) in array code."""

import numpy as np

from tinyres_kernels.array.batch_norm import batch_norm, batch_norm_grad_sums
from tinyres_kernels.contract import Array


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    y = batch_norm(x, mean, r, gamma, beta)
    y += residual
    return np.maximum(y, 0, out=y)


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    g = gy * (y > 0)
    return g, *batch_norm_grad_sums(g, x, mean, r)
