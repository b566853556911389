"""Convolution on a GPU: the launches. What they launch is in conv2d.cu, why it is fast in tile.cuh and tile_mma.cuh.

float32 arrays are multiplied in float32 or on the tensor cores, as tinyres_kernels.products has it; float64 in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres_kernels import array, products
from tinyres_kernels.array.conv2d import in_order
from tinyres_kernels.gpu.launch import address, channels_first, channels_last, covered, empty, launch
from tinyres_kernels.windows import output_size

Array = Any
Pair = tuple[int, int]
ROWS, DEPTH, THREADS = 128, 16, 128  # of tile.cuh and tile_mma.cuh
PLACE = 12  # bytes, of a row or a place in the depth: three ints
TENSOR_CORES = {"tf32": 1, "bf16": 2}  # numbers that a word of 32 bits holds
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
    """gy (N,O,P,Q), x (N,C,H,W) -> gw (O,C,KH,KW)"""
    if not covered(gy, x):
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    (N, C, H, W), (O, _, KH, KW), (P, Q) = x.shape, w_shape, gy.shape[2:]
    parts = empty(gy, (-(-N * P * Q // PART), KH, KW, C, O))
    sizes = N, C, H, W, O, P, Q, KH, KW, *stride, *padding
    arguments = channels_last(gy), channels_last(x), parts, PART, *sizes
    product("conv2d_grad_w", arguments, KH * KW * C, O, len(parts))
    return in_order(parts.sum(0).transpose(3, 2, 0, 1))


def product(kernel: str, arguments: tuple[Any, ...], rows: int, columns: int, parts: int = 1) -> None:
    """Launch a kernel that is a matrix product of so many rows and columns, its depth cut into parts."""
    like = arguments[0]
    width = next((width for width in (16, 32) if columns <= width), 64)
    kind = products.get() if like.dtype == np.float32 else "float64"
    if kind in TENSOR_CORES:
        shared = tensor_core_memory(width, numbers_in_a_word=TENSOR_CORES[kind])
        defines: tuple[str, ...] = (f"COLUMNS={width}", f"FACTOR={kind}", f"VECTOR={vector(arguments[:2])}")
    else:
        shared = DEPTH * (ROWS + 1 + width) * like.dtype.itemsize + (ROWS + DEPTH) * PLACE
        defines = (f"COLUMNS={width}",)
    grid = -(-rows // ROWS), -(-columns // width), parts
    launch("conv2d.cu", kernel, like, arguments, grid=grid, threads=THREADS, shared=shared, defines=defines)


def tensor_core_memory(width: int, numbers_in_a_word: int) -> int:
    """Bytes of shared memory: in tile_mma.cuh, Factor::BYTES of both factors, A in the longer of its layouts."""
    words = DEPTH // numbers_in_a_word
    a, b = max(ROWS * (words + 4), words * (ROWS + 8)), words * (width + 8)
    return 2 * (a + b) * 4 + (ROWS + 2 * DEPTH) * PLACE + (width + 2 * DEPTH) * 4


def vector(factors: tuple[Array, ...]) -> int:
    """How many numbers one access fetches: four, if four that lie side by side are always of one pixel."""
    return 4 if all(a.shape[-1] % 4 == 0 and address(a) % 16 == 0 for a in factors) else 1
