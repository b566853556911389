"""Max pooling over rows of channels: a window's places are walked one by one, all channels of a pixel at a time.

Images go to the threads: inside of one, backward's windows may overlap.
"""

from __future__ import annotations

import numpy as np
from numba import prange

import tinyres_kernels.array as array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.rows import channels_last, covered, empty_like
from tinyres_kernels.windows import output_size

Array = np.ndarray
Pair = tuple[int, int]


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
    """x (N,C,H,W) -> y (N,C,P,Q), and where in its window each maximum stood: i·KW + j (N,C,P,Q)"""
    if not covered(x):
        return array.max_pool2d(x, kernel, stride, padding, ceil_mode)
    P, Q = (output_size(x.shape[2 + k], kernel[k], stride[k], padding[k], ceil_mode) for k in (0, 1))
    y = empty_like(x, (*x.shape[:2], P, Q))
    argmax = empty_like(x, y.shape, np.int32)
    largest(channels_last(x), kernel, stride, padding, channels_last(y), channels_last(argmax))
    return y, argmax


def max_pool2d_grad_x(
    gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    """gy, argmax (N,C,P,Q) -> gx (N,C,H,W)"""
    if not covered(argmax, np.int32) or gy.dtype not in (np.float32, np.float64):
        return array.max_pool2d_grad_x(gy, argmax, x_shape, kernel, stride, padding)
    gx = empty_like(gy, x_shape)
    handed_back(channels_last(gy), channels_last(argmax), kernel, stride, padding, channels_last(gx))
    return gx


@compiled_parallel
def largest(x, kernel, stride, padding, y, argmax):
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    for n in prange(N):
        for p, q in np.ndindex(P, Q):
            top, left = p * stride[0] - padding[0], q * stride[1] - padding[1]
            best, where = y[n, p, q], argmax[n, p, q]
            best[:] = -np.inf
            where[:] = max(0, -top) * kernel[1] + max(0, -left)  # the first place inside, in case all are −∞
            for i in range(max(0, -top), min(kernel[0], H - top)):
                for j in range(max(0, -left), min(kernel[1], W - left)):
                    values = x[n, top + i, left + j]
                    for c in range(C):
                        larger = values[c] > best[c] or values[c] != values[c]  # the second is true of NaN alone
                        best[c] = values[c] if larger else best[c]
                        where[c] = i * kernel[1] + j if larger else where[c]


@compiled_parallel
def handed_back(gy, argmax, kernel, stride, padding, gx):
    """gx = gy where the maximum stood, added up over the windows"""
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
                        target[c] += gy[n, p, q, c] if argmax[n, p, q, c] == i * kernel[1] + j else gy.dtype.type(0)
