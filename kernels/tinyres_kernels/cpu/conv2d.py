"""Convolution compiled for the processor. This page chooses the way; the others do the work:

    conv2d_direct.py           plain sums, for every kernel and stride
    conv2d_winograd.py         3×3 kernels with a stride of 1 need only a quarter of the multiplications
    conv2d_winograd_grad_w.py  the gradient of w in the same way
    conv2d_layout.py           how an image is laid out in scratch memory for the tiles
    conv2d_tile.py             the innermost loops, which keep their sums in registers

They build on host.py (the width of the vectors), memory.py (aligned buffers that are used again) and cache.py (compiled
code kept on disk), as the other kernels of this rung do. What is not covered goes to array/conv2d.py.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels import array
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.conv2d_direct import direct_conv2d, direct_grad_w, direct_grad_x
from tinyres_kernels.cpu.conv2d_winograd import winograd_conv2d, winograd_pays
from tinyres_kernels.cpu.conv2d_winograd_grad_w import winograd_grad_w
from tinyres_kernels.windows import output_sizes


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    """The bytes of y are NHWC."""
    if not covered(x, w):
        return array.conv2d(x, w, stride, padding)
    P, Q = output_sizes(x.shape[2:], w.shape[2:], stride, padding)
    x, y = channels_last(x), memory.empty((len(x), P, Q, len(w)), x.dtype)
    if winograd_pays(w.shape[2:], stride, (P, Q)):
        winograd_conv2d(x, w, y, padding)
    else:
        direct_conv2d(x, w, y, (P, Q), stride, padding)
    return y.transpose(0, 3, 1, 2)


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gx are NHWC."""
    if not covered(gy, w):
        return array.conv2d_grad_x(gy, w, x_shape, stride, padding)
    N, C, H, W = x_shape
    gy, gx = channels_last(gy), memory.empty((N, H, W, C), gy.dtype)
    if winograd_pays(w.shape[2:], stride, (H, W)):  # gx is a convolution of gy with the turned kernel
        turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        winograd_conv2d(gy, turned, gx, (2 - padding[0], 2 - padding[1]))
    else:
        direct_grad_x(gy, w, gx, stride, padding)
    return gx.transpose(0, 3, 1, 2)


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    if not covered(gy, x):
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    pays = winograd_pays(w_shape[2:], stride, gy.shape[2:])
    gw = memory.empty(w_shape, x.dtype)
    gy, x = channels_last(gy), channels_last(x)
    if pays:
        winograd_grad_w(gy, x, gw, padding)
    else:
        direct_grad_w(gy, x, gw, stride, padding)
    return gw


def covered(*arrays: Array) -> bool:
    """Are these arrays all float32 or all float64, in the machine's byte order, and none empty?"""
    dtype = arrays[0].dtype
    return dtype in (np.float32, np.float64) and all(a.size and a.dtype == dtype and a.dtype.isnative for a in arrays)


def channels_last(x: Array) -> Array:
    """x (N,C,H,W) -> (N,H,W,C), contiguous; copied only if the bytes are in another order.

    It is writable too, though nothing writes into it: numba would compile every kernel again for a read-only array.
    """
    return np.require(x.transpose(0, 2, 3, 1), requirements=["C", "W"])
