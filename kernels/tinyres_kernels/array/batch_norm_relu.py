"""y = max(batch_norm(x), 0) in array code. Backward reckons anew from x where the gate was open, y > 0."""

from typing import Any

import numpy as np

from tinyres_kernels.array.batch_norm import batch_norm, batch_norm_grad_sums, batch_norm_grad_x

Array = Any


def batch_norm_relu(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x (N,C,…), the others (C) -> y (N,C,…)"""
    y = batch_norm(x, mean, r, gamma, beta)
    return np.maximum(y, 0, out=y)


def batch_norm_relu_grad_sums(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    """gy, x (N,C,…), the others (C) -> gbeta (C), ggamma (C)"""
    g = gy * (batch_norm(x, mean, r, gamma, beta) > 0)
    return batch_norm_grad_sums(g, x, mean, r)


def batch_norm_relu_grad_x(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
) -> Array:
    """gy, x (N,C,…), the others (C) -> gx (N,C,…)"""
    g = gy * (batch_norm(x, mean, r, gamma, beta) > 0)
    return batch_norm_grad_x(g, x, mean, r, gamma, gbeta, ggamma)
