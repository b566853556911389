"""y = max(batch_norm(x), 0) over rows of channels (see rows.py), one pass for both.

                                 reads        writes
    batch_norm_relu              x            y
    batch_norm_relu_grad_sums    gy, x
    batch_norm_relu_grad_x       gy, x        gx

Backward has to know where the gate was open, y > 0. It reckons that anew from x, which it reads anyway, instead of
reading y too: five trips over an activation instead of seven. The line is forward's own, so they agree to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

import tinyres_kernels.array as array
from tinyres_kernels.cpu.batch_norm import grad_x_factors
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import block_length, covered, empty_like, flat, fold, wide

Array = np.ndarray


def batch_norm_relu(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x (N,C,…), the others (C) -> y (N,C,…)"""
    if not covered(x):
        return array.batch_norm_relu(x, mean, r, gamma, beta)
    y = empty_like(x)
    gated(flat(x), wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype), flat(y))
    return y


def batch_norm_relu_grad_sums(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array
) -> tuple[Array, Array]:
    """gy, x (N,C,…), the others (C) -> gbeta (C), ggamma (C)"""
    if not covered(x):
        return array.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta)
    vectors = wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype)
    sums, products = block_sums(flat(gy), flat(x), x.shape[1], *vectors)
    return sums.sum(0).astype(x.dtype), (products.sum(0) * r).astype(x.dtype)


def batch_norm_relu_grad_x(
    gy: Array, x: Array, mean: Array, r: Array, gamma: Array, beta: Array, gbeta: Array, ggamma: Array
) -> Array:
    """gy, x (N,C,…), the others (C) -> gx (N,C,…)"""
    if not covered(x):
        return array.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, gbeta, ggamma)
    gx = empty_like(x)
    factors = grad_x_factors(x, mean, r, gamma, gbeta, ggamma)
    corrected(flat(gy), flat(x), wide(beta, x.dtype), *factors, flat(gx))
    return gx


@compiled_parallel
def gated(x, mean, scale, beta, y):
    """y = max((x − mean)·scale + beta, 0), NaN staying NaN"""
    width = mean.size
    block = block_length(width, x.itemsize)
    for k in prange(-(-x.size // block)):
        for at in range(k * block, min((k + 1) * block, x.size), width):
            x_row, y_row = x[at : at + width], y[at : at + width]
            for i in range(x_row.size):
                value = (x_row[i] - mean[i]) * scale[i] + beta[i]
                y_row[i] = 0 if value <= 0 else value


@compiled_parallel
def block_sums(gy, x, C, mean, scale, beta):
    """For each block and channel: Σ g and Σ g·(x − mean), with g = gy where the gate was open, else 0."""
    width = mean.size
    block = block_length(width, x.itemsize)
    blocks = -(-x.size // block)
    sums, products = np.zeros((blocks, C)), np.zeros((blocks, C))
    for k in prange(blocks):
        total, total_product = np.zeros_like(mean), np.zeros_like(mean)
        for at in range(k * block, min((k + 1) * block, x.size), width):
            gy_row, x_row = gy[at : at + width], x[at : at + width]
            for i in range(x_row.size):
                deviation = x_row[i] - mean[i]
                g = gy_row[i] if deviation * scale[i] + beta[i] > 0 else gy_row.dtype.type(0)
                total[i] += g
                total_product[i] += g * deviation
        fold(total, sums[k])
        fold(total_product, products[k])
    return sums, products


@compiled_parallel
def corrected(gy, x, beta, mean, a, b, c, gx):
    """gx = a·g − b − c·(x − mean), with g = gy where the gate was open, else 0; a is also forward's scale"""
    width = mean.size
    block = block_length(width, x.itemsize)
    for k in prange(-(-x.size // block)):
        for at in range(k * block, min((k + 1) * block, x.size), width):
            gy_row, x_row, gx_row = gy[at : at + width], x[at : at + width], gx[at : at + width]
            for i in range(x_row.size):
                deviation = x_row[i] - mean[i]
                g = gy_row[i] if deviation * a[i] + beta[i] > 0 else gy_row.dtype.type(0)
                gx_row[i] = a[i] * g - b[i] - c[i] * deviation
