"""Batch norm over rows of channels (see rows.py). It hardly computes; what counts are the trips to memory.

                              reads        writes
    batch_norm_statistics     x
    batch_norm                x            y
    batch_norm_grad_sums      gy, x
    batch_norm_grad_x         gy, x        gx

The variance needs the mean first, hence two passes over x. They run over one block at a time, so that the second pass
finds x in the cache. The blocks' means and squared deviations are then joined exactly (Chan, Golub & LeVeque 1983,
eq. 2.1), in float64: as accurate as two passes over everything, for the price of one.

Measured on two cores of an AMD EPYC with AVX-512, float32 activations of 8 MiB (128 images of 16 channels at 32×32):
statistics 37 GB/s, limited by arithmetic; the sums 68, gx 116, a plain copy 127. One core copies as fast as two there,
and reads from main memory as fast, too (44 GB/s): one reason why two cores train less than twice as fast as one.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import blocks_of, channel_gradients, covered, empty_like, flat, fold, wide, wide_rows


def batch_norm_statistics(x: Array, eps: float) -> tuple[Array, Array, Array]:
    if not covered(x):
        return array.batch_norm_statistics(x, eps)
    C = x.shape[1]
    counts, sums, squares = block_moments(flat(x), wide(np.zeros(C), x.dtype), C)
    M = x.size // C
    mean = sums.sum(0) / M
    var = ((squares.sum(0) + counts @ (sums / counts[:, None] - mean) ** 2) / M).astype(x.dtype)
    return mean.astype(x.dtype), var, 1 / np.sqrt(var + eps)


def batch_norm(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    if not covered(x):
        return array.batch_norm(x, mean, r, gamma, beta)
    y = empty_like(x)
    scale_and_shift(flat(x), wide(mean, x.dtype), wide(gamma * r, x.dtype), wide(beta, x.dtype), flat(y))
    return y


def batch_norm_grad_sums(gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
    if not covered(x):
        return array.batch_norm_grad_sums(gy, x, mean, r)
    return channel_gradients(block_sums(flat(gy), flat(x), wide(mean, x.dtype), x.shape[1]), r, x)


def batch_norm_grad_x(gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> Array:
    if not covered(x):
        return array.batch_norm_grad_x(gy, x, mean, r, gamma, gbeta, ggamma)
    gx = empty_like(x)
    input_gradient(flat(gy), flat(x), *input_gradient_factors(x, mean, r, gamma, gbeta, ggamma), flat(gx))
    return gx


def input_gradient_factors(
    x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array
) -> tuple[Array, Array, Array, Array]:
    """gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M) as gx = a·gy − b − c·(x − mean) -> mean, a, b, c, all made wide"""
    M = x.size // x.shape[1]
    scale = gamma * r
    vectors = mean, scale, scale * gbeta / M, scale * r * ggamma / M
    return tuple(wide(vector, x.dtype) for vector in vectors)


@compiled_parallel
def block_moments(x, zeros, C):
    """For each block and channel: the number of values, their sum, and Σ (x − their mean)²."""
    width = zeros.size
    blocks = blocks_of(x, width)
    counts = np.empty(blocks)
    sums, squares = np.zeros((blocks, C)), np.zeros((blocks, C))
    for k in prange(blocks):
        total = zeros.copy()
        size = 0
        for at in wide_rows(x, width, k):
            row = x[at : at + width]
            size += row.size
            for i in range(row.size):
                total[i] += row[i]
        fold(total, sums[k])
        counts[k] = size // C
        mean = zeros.copy()
        for c in range(C):
            mean[c] = sums[k, c] / counts[k]
        for at in range(C, width):
            mean[at] = mean[at - C]
        total[:] = 0
        for at in wide_rows(x, width, k):
            row = x[at : at + width]
            for i in range(row.size):
                deviation = row[i] - mean[i]
                total[i] += deviation * deviation
        fold(total, squares[k])
    return counts, sums, squares


@compiled_parallel
def scale_and_shift(x, mean, scale, beta, y):
    """y = (x − mean)·scale + beta"""
    width = mean.size
    for k in prange(blocks_of(x, width)):
        for at in wide_rows(x, width, k):
            x_row, y_row = x[at : at + width], y[at : at + width]
            for i in range(x_row.size):
                y_row[i] = (x_row[i] - mean[i]) * scale[i] + beta[i]


@compiled_parallel
def block_sums(gy, x, mean, C):
    """Σ gy and Σ gy·(x − mean) of each block and channel, (2,blocks,C)"""
    width = mean.size
    blocks = blocks_of(x, width)
    sums = np.zeros((2, blocks, C))
    for k in prange(blocks):
        total, total_product = np.zeros_like(mean), np.zeros_like(mean)
        for at in wide_rows(x, width, k):
            gy_row, x_row = gy[at : at + width], x[at : at + width]
            for i in range(x_row.size):
                total[i] += gy_row[i]
                total_product[i] += gy_row[i] * (x_row[i] - mean[i])
        fold(total, sums[0, k])
        fold(total_product, sums[1, k])
    return sums


@compiled_parallel
def input_gradient(gy, x, mean, a, b, c, gx):
    """gx = a·gy − b − c·(x − mean)"""
    width = mean.size
    for k in prange(blocks_of(x, width)):
        for at in wide_rows(x, width, k):
            gy_row, x_row, gx_row = gy[at : at + width], x[at : at + width], gx[at : at + width]
            for i in range(x_row.size):
                gx_row[i] = a[i] * gy_row[i] - b[i] - c[i] * (x_row[i] - mean[i])
