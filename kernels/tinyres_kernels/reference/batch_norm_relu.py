"""y = max(batch_norm(x), 0) as its definition: the two ops one after the other.

The ReLU passes g = gy where y > 0 and 0 elsewhere. From there on the gradients are those of batch_norm.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.reference.batch_norm import batch_norm, batch_norm_grad_sums, batch_norm_grad_x


def batch_norm_relu(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    return np.maximum(batch_norm(x, mean, r, gamma, beta), 0)


def batch_norm_relu_grad_sums(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    y = batch_norm_relu(x, mean, r, gamma, beta)
    return batch_norm_grad_sums(np.where(y > 0, gy, 0), x, mean, r)


def batch_norm_relu_grad_x(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
) -> Array:
    y = batch_norm_relu(x, mean, r, gamma, beta)
    return batch_norm_grad_x(np.where(y > 0, gy, 0), x, mean, r, gamma, gbeta, ggamma)
