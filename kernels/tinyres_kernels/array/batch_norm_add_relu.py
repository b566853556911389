"""y = max(batch_norm(x) + residual, 0) in array code."""

from typing import Any

import numpy as np

from tinyres_kernels.array.batch_norm import batch_norm, batch_norm_grad_sums

Array = Any


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x, residual (N,C,…), the others (C) -> y (N,C,…)"""
    y = batch_norm(x, mean, r, gamma, beta)
    y += residual
    return np.maximum(y, 0, out=y)


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    """gy, y, x (N,C,…), mean, r (C) -> g = gy·(y > 0) (N,C,…), gbeta (C), ggamma (C)"""
    g = gy * (y > 0)
    return g, *batch_norm_grad_sums(g, x, mean, r)
