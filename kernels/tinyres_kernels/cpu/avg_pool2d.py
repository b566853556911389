"""Average pooling over rows of channels: a window's places are walked one by one, all channels of a pixel at a time.

Images go to the threads: inside of one, backward's windows may overlap.
"""

from __future__ import annotations

import numpy as np
from numba import prange

import tinyres_kernels.array as array
from tinyres_kernels.array.avg_pool2d import counts
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import channels_last, covered, empty_like
from tinyres_kernels.windows import output_size

Array = np.ndarray
Pair = tuple[int, int]


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool) -> Array:
    """x (N,C,H,W) -> y (N,C,P,Q)"""
    if not covered(x):
        return array.avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad)
    P, Q = (output_size(x.shape[2 + k], kernel[k], stride[k], padding[k], ceil_mode) for k in (0, 1))
    y = empty_like(x, (*x.shape[:2], P, Q))
    shares = 1 / counts(x, x.shape, (P, Q), kernel, stride, padding, count_include_pad)
    averaged(channels_last(x), shares, kernel, stride, padding, channels_last(y))
    return y


def avg_pool2d_grad_x(
    gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    """gy (N,C,P,Q) -> gx (N,C,H,W)"""
    if not covered(gy):
        return array.avg_pool2d_grad_x(gy, x_shape, kernel, stride, padding, count_include_pad)
    gx = empty_like(gy, x_shape)
    shares = 1 / counts(gy, x_shape, gy.shape[2:], kernel, stride, padding, count_include_pad)
    shared_out(channels_last(gy), shares, kernel, stride, padding, channels_last(gx))
    return gx


@compiled_parallel
def averaged(x, shares, kernel, stride, padding, y):
    """y = the window's sum · its share, 1 / (how many places count)"""
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    for n in prange(N):
        for p, q in np.ndindex(P, Q):
            top, left = p * stride[0] - padding[0], q * stride[1] - padding[1]
            total = y[n, p, q]
            total[:] = 0
            for i in range(max(0, -top), min(kernel[0], H - top)):
                for j in range(max(0, -left), min(kernel[1], W - left)):
                    values = x[n, top + i, left + j]
                    for c in range(C):
                        total[c] += values[c]
            for c in range(C):
                total[c] *= shares[p, q]


@compiled_parallel
def shared_out(gy, shares, kernel, stride, padding, gx):
    """gx = gy · share, to every place of the window, added up over the windows"""
    N, H, W, C = gx.shape
    P, Q = gy.shape[1:3]
    for n in prange(N):
        gx[n] = 0
        for p, q in np.ndindex(P, Q):
            top, left = p * stride[0] - padding[0], q * stride[1] - padding[1]
            for i in range(max(0, -top), min(kernel[0], H - top)):
                for j in range(max(0, -left), min(kernel[1], W - left)):
                    target = gx[n, top + i, left + j]
                    for c in range(C):
                        target[c] += gy[n, p, q, c] * shares[p, q]
