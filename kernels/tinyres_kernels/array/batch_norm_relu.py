"""y = max(batch_norm(x), 0) in array code. Backward computes again from x where y > 0."""

import numpy as np

from tinyres_kernels.array.batch_norm import batch_norm, batch_norm_grad_sums, batch_norm_grad_x
from tinyres_kernels.contract import Array


def batch_norm_relu(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    y = batch_norm(x, mean, r, gamma, beta)
    return np.maximum(y, 0, out=y)


def batch_norm_relu_grad_sums(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    g = gy * (batch_norm(x, mean, r, gamma, beta) > 0)
    return batch_norm_grad_sums(g, x, mean, r)


def batch_norm_relu_grad_x(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
) -> Array:
    g = gy * (batch_norm(x, mean, r, gamma, beta) > 0)
    return batch_norm_grad_x(g, x, mean, r, gamma, gbeta, ggamma)
