"""Batch normalisation on a GPU: the launches of batch_norm.cu, and what is left to do for each channel.

Blocks' means and squared deviations are joined exactly (Chan, Golub & LeVeque 1983, eq. 2.1), in float64: that is C
numbers for each block, however large x is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres_kernels import array
from tinyres_kernels.gpu.channels import added_up, by_channel, parts_of, sizes
from tinyres_kernels.gpu.launch import channels_first, channels_last, covered, empty

Array = Any


def batch_norm_statistics(x: Array) -> tuple[Array, Array]:
    """x (N,C,…) -> mean (C), var (C)"""
    if not covered(x):
        return array.batch_norm_statistics(x)
    _, M, part = sizes(x)
    sums, squares = parts_of(x), parts_of(x)
    by_channel("batch_norm.cu", "batch_norm_moments", x, channels_last(x), sums, squares)
    counts = np.full_like(sums, part, shape=len(sums))
    counts[-1] = M - part * (len(sums) - 1)
    mean = sums.sum(0) / M
    between = counts[:, None] * (sums / counts[:, None] - mean) ** 2
    var = (squares + between).sum(0) / M
    return mean.astype(x.dtype), var.astype(x.dtype)


def batch_norm(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x (N,C,…), the others (C) -> y (N,C,…)"""
    if not covered(x):
        return array.batch_norm(x, mean, r, gamma, beta)
    x = channels_last(x)
    y = empty(x, x.shape)
    by_channel("batch_norm.cu", "batch_norm", channels_first(x), x, mean, gamma * r, beta, y)
    return channels_first(y)


def batch_norm_grad_sums(gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
    """gy, x (N,C,…), mean, r (C) -> gbeta (C), ggamma (C)"""
    if not covered(x, gy):
        return array.batch_norm_grad_sums(gy, x, mean, r)
    sums, products = parts_of(x), parts_of(x)
    by_channel("batch_norm.cu", "batch_norm_sums", x, channels_last(gy), channels_last(x), mean, sums, products)
    return added_up(sums, products, r)


def batch_norm_grad_x(gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> Array:
    """gy, x (N,C,…), the others (C) -> gx (N,C,…)"""
    if not covered(x, gy):
        return array.batch_norm_grad_x(gy, x, mean, r, gamma, gbeta, ggamma)
    factors = grad_x_factors(x, r, gamma, gbeta, ggamma)
    gy_rows, x_rows = channels_last(gy), channels_last(x)
    gx = empty(x_rows, x_rows.shape)
    by_channel("batch_norm.cu", "batch_norm_grad_x", x, gy_rows, x_rows, mean, *factors, gx)
    return channels_first(gx)


def grad_x_factors(x: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> tuple[Array, Array, Array]:
    """a, b, c (C) of gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M) = a·gy − b − c·(x − mean)"""
    M = x.size // x.shape[1]
    a = gamma * r
    return a, (a * gbeta / M).astype(x.dtype), (a * r * ggamma / M).astype(x.dtype)
