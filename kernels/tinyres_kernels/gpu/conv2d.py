"""Convolution on a GPU: the launches of conv2d.cu. tile.cuh and conv2d_tile_mma.cuh say why it is fast.

float32 arrays are multiplied in float32 or on the tensor cores, as tinyres_kernels.products says; float64 in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres_kernels import array, products
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.gpu import tile
from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, in_order, launch
from tinyres_kernels.windows import output_sizes

SOURCE = "conv2d.cu"
PART = 1024  # pixels that a block of grad_w sums over: short enough for many blocks, long enough to be worth its store


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    """The bytes of y are NHWC."""
    if not covered(x, w):
        return array.conv2d(x, w, stride, padding)
    P, Q = output_sizes(x.shape[2:], w.shape[2:], stride, padding)
    y = empty(x, (len(x), P, Q, len(w)))
    return pixels("conv2d", x, w.transpose(2, 3, 1, 0), y, sizes(x.shape, w.shape, (P, Q), stride, padding))


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gx are NHWC."""
    if not covered(gy, w):
        return array.conv2d_grad_x(gy, w, x_shape, stride, padding)
    N, C, H, W = x_shape
    gx, given = empty(gy, (N, H, W, C)), sizes(x_shape, w.shape, gy.shape[2:], stride, padding)
    return pixels("conv2d_grad_x", gy, w.transpose(2, 3, 0, 1), gx, given)


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gw are in the order KH, KW, C, O."""
    if not covered(gy, x):
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    O, C, KH, KW = w_shape
    parts = empty(gy, (-(-gy.size // O // PART), KH, KW, C, O))
    given = sizes(x.shape, w_shape, gy.shape[2:], stride, padding)
    product("conv2d_grad_w", (channels_last(gy), channels_last(x), parts, PART, *given), KH * KW * C, O, len(parts))
    return added_up(parts).transpose(3, 2, 0, 1)


def sizes(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], size: tuple[int, ...], stride: Pair, padding: Pair
) -> tuple[int, ...]:
    """What all three kernels are told: N, C, H, W, O, P, Q, KH, KW, and the rows and columns of stride and padding."""
    return *x_shape, w_shape[0], *size, *w_shape[2:], *stride, *padding


def pixels(kernel: str, image: Array, w: Array, y: Array, given: tuple[int, ...]) -> Array:
    """Compute all pixels of y (N,…,…,channels) from image (N,C,H,W) -> y (N,channels,…,…), a view."""
    columns = y.shape[3]
    product(kernel, (channels_last(image), in_order(w), y, *given), y.size // columns, columns)
    return channels_first(y)


def product(kernel: str, arguments: tuple[Any, ...], rows: int, columns: int, parts: int = 1) -> None:
    """Launch a kernel that is a matrix product of rows × columns numbers, with its depth cut into parts."""
    if arguments[0].dtype == np.float32 and products.get() in tile.TENSOR_CORES:
        tile.rounded_product(products.get(), SOURCE, kernel, arguments, rows, columns, parts)
    else:
        tile.product(SOURCE, kernel, arguments, rows, columns, parts)


def added_up(parts: Array) -> Array:
    """parts (P,…) -> their sum (…)"""
    if len(parts) == 1:
        return parts[0]
    y = empty(parts, parts.shape[1:])
    launch("conv2d_add_up.cu", "add_up", parts, (parts, y, len(parts), y.size), grid=blocks_for(y.size))
    return y
