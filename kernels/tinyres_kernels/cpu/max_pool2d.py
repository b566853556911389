"""Max pooling over rows of channels: the loops visit a window's places in turn, all channels of a pixel at once.

Each thread takes whole images, because within an image backward's windows may overlap.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from tinyres_kernels import array
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.pooling import window
from tinyres_kernels.cpu.rows import channels_last, covered, empty_like
from tinyres_kernels.windows import output_sizes


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
    if not covered(x):
        return array.max_pool2d(x, kernel, stride, padding, ceil_mode)
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    y = empty_like(x, (*x.shape[:2], P, Q))
    argmax = empty_like(x, y.shape, np.int32)
    window_maxima(channels_last(x), kernel, stride, padding, channels_last(y), channels_last(argmax))
    return y, argmax


def max_pool2d_grad_x(
    gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    if not covered(argmax, np.int32) or gy.dtype not in (np.float32, np.float64):
        return array.max_pool2d_grad_x(gy, argmax, x_shape, kernel, stride, padding)
    gx = empty_like(gy, x_shape)
    gradient_to_maxima(channels_last(gy), channels_last(argmax), kernel, stride, padding, channels_last(gx))
    return gx


@compiled_parallel
def window_maxima(x, kernel, stride, padding, y, argmax):
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    for n in prange(N):
        for p, q in np.ndindex(P, Q):
            top, left, rows, columns = window(p, q, (H, W), kernel, stride, padding)
            best, where = y[n, p, q], argmax[n, p, q]
            best[:] = -np.inf
            where[:] = rows.start * kernel[1] + columns.start  # the first place inside, in case all are −∞
            for i in rows:
                for j in columns:
                    values = x[n, top + i, left + j]
                    for c in range(C):
                        larger = values[c] > best[c] or values[c] != values[c]  # the second holds for NaN alone
                        best[c] = values[c] if larger else best[c]
                        where[c] = i * kernel[1] + j if larger else where[c]


@compiled_parallel
def gradient_to_maxima(gy, argmax, kernel, stride, padding, gx):
    """gx = gy where the maximum was, added up over the windows"""
    N, H, W, C = gx.shape
    P, Q = gy.shape[1:3]
    for n in prange(N):
        gx[n] = 0
        for p, q in np.ndindex(P, Q):
            top, left, rows, columns = window(p, q, (H, W), kernel, stride, padding)
            for i in rows:
                for j in columns:
                    target = gx[n, top + i, left + j]
                    for c in range(C):
                        target[c] += gy[n, p, q, c] if argmax[n, p, q, c] == i * kernel[1] + j else gy.dtype.type(0)
