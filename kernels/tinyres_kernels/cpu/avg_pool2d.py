"""Average pooling over rows of channels: the loops visit a window's places in turn, all channels of a pixel at once.

Each thread takes whole images, because within an image backward's windows may overlap.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from tinyres_kernels import array
from tinyres_kernels.array.avg_pool2d import counts
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.pooling import window
from tinyres_kernels.cpu.rows import channels_last, covered, empty_like
from tinyres_kernels.windows import output_sizes


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool) -> Array:
    if not covered(x):
        return array.avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad)
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    y = empty_like(x, (*x.shape[:2], P, Q))
    shares = 1 / counts(x, x.shape, (P, Q), kernel, stride, padding, count_include_pad)
    window_means(channels_last(x), shares, kernel, stride, padding, channels_last(y))
    return y


def avg_pool2d_grad_x(
    gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    if not covered(gy):
        return array.avg_pool2d_grad_x(gy, x_shape, kernel, stride, padding, count_include_pad)
    gx = empty_like(gy, x_shape)
    shares = 1 / counts(gy, x_shape, gy.shape[2:], kernel, stride, padding, count_include_pad)
    gradient_to_windows(channels_last(gy), shares, kernel, stride, padding, channels_last(gx))
    return gx


@compiled_parallel
def window_means(x, shares, kernel, stride, padding, y):
    """y = the sum of the window · its share, 1 / (the number of places that count)"""
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    for n in prange(N):
        for p, q in np.ndindex(P, Q):
            top, left, rows, columns = window(p, q, (H, W), kernel, stride, padding)
            total = y[n, p, q]
            total[:] = 0
            for i in rows:
                for j in columns:
                    values = x[n, top + i, left + j]
                    for c in range(C):
                        total[c] += values[c]
            for c in range(C):
                total[c] *= shares[p, q]


@compiled_parallel
def gradient_to_windows(gy, shares, kernel, stride, padding, gx):
    """gx = gy · share at every place of the window, added up over the windows"""
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
                        target[c] += gy[n, p, q, c] * shares[p, q]
