"""Convolution on a GPU: the launches. What they launch is in conv2d.cu, why it is fast in tile.cuh and tile_mma.cuh.

float32 arrays are multiplied in float32 or on the tensor cores, as tinyres_kernels.products has it; float64 in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres_kernels import array, products
from tinyres_kernels.gpu import tile
from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, in_order, launch
from tinyres_kernels.windows import output_size

Array = Any
Pair = tuple[int, int]
SOURCE = "conv2d.cu"
PART = 1024  # pixels that a block of grad_w sums over: short enough for many blocks, long enough to be worth its store


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    """x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,P,Q), the bytes NHWC"""
    if not covered(x, w):
        return array.conv2d(x, w, stride, padding)
    (N, C, H, W), (O, _, KH, KW) = x.shape, w.shape
    P, Q = (output_size(x.shape[2 + k], w.shape[2 + k], stride[k], padding[k]) for k in (0, 1))
    y = empty(x, (N, P, Q, O))
    sizes = N, C, H, W, O, P, Q, KH, KW, *stride, *padding
    product("conv2d", (channels_last(x), in_order(w.transpose(2, 3, 1, 0)), y, *sizes), N * P * Q, O)
    return channels_first(y)


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """gy (N,O,P,Q), w (O,C,KH,KW) -> gx (N,C,H,W), the bytes NHWC"""
    if not covered(gy, w):
        return array.conv2d_grad_x(gy, w, x_shape, stride, padding)
    (N, C, H, W), (O, _, KH, KW), (P, Q) = x_shape, w.shape, gy.shape[2:]
    gx = empty(gy, (N, H, W, C))
    sizes = N, C, H, W, O, P, Q, KH, KW, *stride, *padding
    product("conv2d_grad_x", (channels_last(gy), in_order(w.transpose(2, 3, 0, 1)), gx, *sizes), N * H * W, C)
    return channels_first(gx)


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """gy (N,O,P,Q), x (N,C,H,W) -> gw (O,C,KH,KW), the bytes KH,KW,C,O"""
    if not covered(gy, x):
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    (N, C, H, W), (O, _, KH, KW), (P, Q) = x.shape, w_shape, gy.shape[2:]
    parts = empty(gy, (-(-N * P * Q // PART), KH, KW, C, O))
    sizes = N, C, H, W, O, P, Q, KH, KW, *stride, *padding
    arguments = channels_last(gy), channels_last(x), parts, PART, *sizes
    product("conv2d_grad_w", arguments, KH * KW * C, O, len(parts))
    return added_up(parts).transpose(3, 2, 0, 1)


def product(kernel: str, arguments: tuple[Any, ...], rows: int, columns: int, parts: int = 1) -> None:
    """Launch a kernel that is a matrix product of so many rows and columns, its depth cut into parts."""
    if arguments[0].dtype == np.float32 and products.get() in tile.TENSOR_CORES:
        tile.rounded_product(products.get(), SOURCE, kernel, arguments, rows, columns, parts)
    else:
        tile.product(SOURCE, kernel, arguments, rows, columns, parts)


def added_up(parts: Array) -> Array:
    """parts (P,…) -> their sum (…)"""
    if len(parts) == 1:
        return parts[0]
    y = empty(parts, parts.shape[1:])
    launch("add_up.cu", "add_up", parts, (parts, y, len(parts), y.size), grid=blocks_for(y.size))
    return y
