"""y = max(batch_norm(x) + residual, 0) as its definition: one after the other.

A ReLU passes g = gy where y > 0 and 0 elsewhere; the addition hands g to both sides; from there on the gradients are
those of batch_norm.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.reference.batch_norm import batch_norm, batch_norm_grad_sums

Array = np.ndarray


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x, residual (N,C,…), the others (C) -> y (N,C,…)"""
    return np.maximum(batch_norm(x, mean, r, gamma, beta) + residual, 0)


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    """gy, y, x (N,C,…), mean, r (C) -> g = gy·(y > 0) (N,C,…), gbeta (C), ggamma (C)"""
    g = np.where(y > 0, gy, 0)
    return g, *batch_norm_grad_sums(g, x, mean, r)
