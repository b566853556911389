"""y = max(batch_norm(x), 0) over rows of channels (see rows.py), both in one pass.

                                 reads        writes
    batch_norm_relu              x            y
    batch_norm_relu_grad_sums    gy, x
    batch_norm_relu_grad_x       gy, x        gx

Backward has to know where y > 0. It computes y again from x, which it reads anyway, instead of reading y too: five
trips over an activation instead of seven. The formula is forward's own, so the two agree to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.cpu.batch_norm import input_gradient_factors
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import blocks_of, channel_gradients, covered, empty_like, flat, fold, wide, wide_rows


def batch_norm_relu(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    if not covered(x):
        return array.batch_norm_relu(x, mean, r, gamma, beta)
    y = empty_like(x)
    scale_shift_relu(flat(x), wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype), flat(y))
    return y


def batch_norm_relu_grad_sums(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    if not covered(x):
        return array.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta)
    vectors = wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype)
    return channel_gradients(relu_block_sums(flat(gy), flat(x), *vectors, x.shape[1]), r, x)


def batch_norm_relu_grad_x(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
) -> Array:
    if not covered(x):
        return array.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, gbeta, ggamma)
    gx = empty_like(x)
    factors = input_gradient_factors(x, mean, r, gamma, gbeta, ggamma)
    relu_input_gradient(flat(gy), flat(x), wide(beta, x.dtype), *factors, flat(gx))
    return gx


@compiled_parallel
def scale_shift_relu(x, mean, scale, beta, y):
    """y = max((x − mean)·scale + beta, 0); a NaN stays NaN"""
    width = mean.size
    for k in prange(blocks_of(x, width)):
        for at in wide_rows(x, width, k):
            x_row, y_row = x[at : at + width], y[at : at + width]
            for i in range(x_row.size):
                value = (x_row[i] - mean[i]) * scale[i] + beta[i]
                y_row[i] = 0 if value <= 0 else value


@compiled_parallel
def relu_block_sums(gy, x, mean, scale, beta, C):
    """Σ g and Σ g·(x − mean) of each block and channel, (2,blocks,C), where g = gy if y > 0, else 0"""
    width = mean.size
    blocks = blocks_of(x, width)
    sums = np.zeros((2, blocks, C))
    for k in prange(blocks):
        total, total_product = np.zeros_like(mean), np.zeros_like(mean)
        for at in wide_rows(x, width, k):
            gy_row, x_row = gy[at : at + width], x[at : at + width]
            for i in range(x_row.size):
                deviation = x_row[i] - mean[i]
                g = gy_row[i] if deviation * scale[i] + beta[i] > 0 else gy_row.dtype.type(0)
                total[i] += g
                total_product[i] += g * deviation
        fold(total, sums[0, k])
        fold(total_product, sums[1, k])
    return sums


@compiled_parallel
def relu_input_gradient(gy, x, beta, mean, a, b, c, gx):
    """gx = a·g − b − c·(x − mean), where g = gy if y > 0, else 0; a is also forward's scale"""
    width = mean.size
    for k in prange(blocks_of(x, width)):
        for at in wide_rows(x, width, k):
            gy_row, x_row, gx_row = gy[at : at + width], x[at : at + width], gx[at : at + width]
            for i in range(x_row.size):
                deviation = x_row[i] - mean[i]
                g = gy_row[i] if deviation * a[i] + beta[i] > 0 else gy_row.dtype.type(0)
                gx_row[i] = a[i] * g - b[i] - c[i] * deviation
