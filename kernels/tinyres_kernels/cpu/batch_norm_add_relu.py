"""y = max(batch_norm(x) + residual, 0) over rows of channels (see rows.py): the end of a residual block in one pass.

                                     reads          writes
    batch_norm_statistics            x                        (batch_norm.py)
    batch_norm_add_relu              x, residual    y
    batch_norm_add_relu_grad_sums    gy, y, x       g
    batch_norm_grad_x                g, x           gx        (batch_norm.py)

g = gy·(y > 0) is what the shortcut receives, so it has to be written in any case; and once it lies there, what remains
is plain batch normalisation. Eleven trips over an activation in all; the three ops one after the other make sixteen.
"""

from __future__ import annotations

import numpy as np
from numba import prange

import tinyres_kernels.array as array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import block_length, covered, empty_like, flat, fold, wide

Array = np.ndarray


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x, residual (N,C,…), the others (C) -> y (N,C,…)"""
    if not covered(x):
        return array.batch_norm_add_relu(x, residual, mean, r, gamma, beta)
    y = empty_like(x)
    vectors = wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype)
    added_and_gated(flat(x), flat(residual), *vectors, flat(y))
    return y


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    """gy, y, x (N,C,…), mean, r (C) -> g = gy·(y > 0) (N,C,…), gbeta (C), ggamma (C)"""
    if not covered(x):
        return array.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
    g = empty_like(x)
    vectors = wide(mean, x.dtype), flat(g)
    sums, products = block_sums(flat(gy), flat(y), flat(x), x.shape[1], *vectors)
    return g, sums.sum(0).astype(x.dtype), (products.sum(0) * r).astype(x.dtype)


@compiled_parallel
def added_and_gated(x, residual, mean, scale, beta, y):
    """y = max((x − mean)·scale + beta + residual, 0), NaN staying NaN"""
    width = mean.size
    block = block_length(width, x.itemsize)
    for k in prange(-(-x.size // block)):
        for at in range(k * block, min((k + 1) * block, x.size), width):
            x_row, residual_row, y_row = x[at : at + width], residual[at : at + width], y[at : at + width]
            for i in range(x_row.size):
                value = (x_row[i] - mean[i]) * scale[i] + beta[i] + residual_row[i]
                y_row[i] = 0 if value <= 0 else value


@compiled_parallel
def block_sums(gy, y, x, C, mean, g):
    """g = gy where y > 0, else 0; and for each block and channel Σ g and Σ g·(x − mean)."""
    width = mean.size
    block = block_length(width, x.itemsize)
    blocks = -(-x.size // block)
    sums, products = np.zeros((blocks, C)), np.zeros((blocks, C))
    for k in prange(blocks):
        total, total_product = np.zeros_like(mean), np.zeros_like(mean)
        for at in range(k * block, min((k + 1) * block, x.size), width):
            gy_row, y_row, x_row, g_row = (
                gy[at : at + width],
                y[at : at + width],
                x[at : at + width],
                g[at : at + width],
            )
            for i in range(x_row.size):
                passed = gy_row[i] if y_row[i] > 0 else gy_row.dtype.type(0)
                g_row[i] = passed
                total[i] += passed
                total_product[i] += passed * (x_row[i] - mean[i])
        fold(total, sums[k])
        fold(total_product, products[k])
    return sums, products
