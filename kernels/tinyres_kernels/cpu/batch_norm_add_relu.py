"""y = max(batch_norm(x) + residual, 0) over rows of channels (see rows.py): the end of a residual block in one pass.

                                     reads          writes
    batch_norm_statistics            x                        (batch_norm.py)
    batch_norm_add_relu              x, residual    y
    batch_norm_add_relu_grad_sums    gy, y, x       g
    batch_norm_grad_x                g, x           gx        (batch_norm.py)

g = gy·(y > 0) is the gradient of the shortcut, so it has to be written in any case. From there on the backward is that
of batch norm alone. Together these are eleven trips over an activation; the three ops one after the other make sixteen.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import blocks_of, channel_gradients, covered, empty_like, flat, fold, wide, wide_rows


def batch_norm_add_relu(x: Array, residual: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    if not covered(x):
        return array.batch_norm_add_relu(x, residual, mean, r, gamma, beta)
    y = empty_like(x)
    vectors = wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype)
    scale_shift_add_relu(flat(x), flat(residual), *vectors, flat(y))
    return y


def batch_norm_add_relu_grad_sums(gy: Array, y: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array, Array]:
    if not covered(x):
        return array.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
    g = empty_like(x)
    sums = add_relu_block_sums(flat(gy), flat(y), flat(x), wide(mean, x.dtype), x.shape[1], flat(g))
    return g, *channel_gradients(sums, r, x)


@compiled_parallel
def scale_shift_add_relu(x, residual, mean, scale, beta, y):
    """y = max((x − mean)·scale + beta + residual, 0); a NaN stays NaN"""
    width = mean.size
    for k in prange(blocks_of(x, width)):
        for at in wide_rows(x, width, k):
            x_row, residual_row, y_row = x[at : at + width], residual[at : at + width], y[at : at + width]
            for i in range(x_row.size):
                value = (x_row[i] - mean[i]) * scale[i] + beta[i] + residual_row[i]
                y_row[i] = 0 if value <= 0 else value


@compiled_parallel
def add_relu_block_sums(gy, y, x, mean, C, g):
    """g = gy if y > 0, else 0; and Σ g and Σ g·(x − mean) of each block and channel, (2,blocks,C)"""
    width = mean.size
    blocks = blocks_of(x, width)
    sums = np.zeros((2, blocks, C))
    for k in prange(blocks):
        total, total_product = np.zeros_like(mean), np.zeros_like(mean)
        for at in wide_rows(x, width, k):
            gy_row, y_row, x_row = gy[at : at + width], y[at : at + width], x[at : at + width]
            g_row = g[at : at + width]
            for i in range(x_row.size):
                passed = gy_row[i] if y_row[i] > 0 else gy_row.dtype.type(0)
                g_row[i] = passed
                total[i] += passed
                total_product[i] += passed * (x_row[i] - mean[i])
        fold(total, sums[0, k])
        fold(total_product, sums[1, k])
    return sums
