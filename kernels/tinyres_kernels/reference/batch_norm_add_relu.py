"""y = max(batch_norm(x) + residual, 0) as its definition: the three ops one after the other.

The ReLU passes g = gy where y > 0 and 0 elsewhere, and the addition passes g to both its inputs. From there on the
gradients are those of batch_norm.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.reference.batch_norm import batch_norm, batch_norm_grad_sums


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    return np.maximum(batch_norm(x, mean, r, gamma, beta) + residual, 0)


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    g = np.where(y > 0, gy, 0)
    return g, *batch_norm_grad_sums(g, x, mean, r)
