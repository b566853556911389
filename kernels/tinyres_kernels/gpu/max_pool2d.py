"""Max pooling on a GPU: the launches of max_pool2d.cu."""

from __future__ import annotations

import numpy as np

from tinyres_kernels import array
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, launch
from tinyres_kernels.windows import output_sizes


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
    if not covered(x):
        return array.max_pool2d(x, kernel, stride, padding, ceil_mode)
    N, C, H, W = x.shape
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    y, argmax = empty(x, (N, P, Q, C)), empty(x, (N, P, Q, C), np.int32)
    arguments = channels_last(x), y, argmax, y.size, C, H, W, P, Q, *kernel, *stride, *padding
    launch("max_pool2d.cu", "max_pool2d", y, arguments, grid=blocks_for(y.size))
    return channels_first(y), channels_first(argmax)


def max_pool2d_grad_x(
    gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    if not covered(gy) or argmax.dtype != np.int32:
        return array.max_pool2d_grad_x(gy, argmax, x_shape, kernel, stride, padding)
    (N, C, H, W), (P, Q) = x_shape, gy.shape[2:]
    gx = empty(gy, (N, H, W, C))
    sizes = gx.size, C, H, W, P, Q, *kernel, *stride, *padding
    arguments = channels_last(gy), channels_last(argmax), gx, *sizes
    launch("max_pool2d.cu", "max_pool2d_grad_x", gx, arguments, grid=blocks_for(gx.size))
    return channels_first(gx)
