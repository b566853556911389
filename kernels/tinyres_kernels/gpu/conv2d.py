"""Convolution on a GPU: the launches of conv2d.cu, which says how it works.

float32 arrays are multiplied in float32 or on the tensor cores, as tinyres_kernels.products says; float64 in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyres_kernels import array, products
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.gpu.graph import beside
from tinyres_kernels.gpu.launch import (
    channels_first,
    channels_last,
    covered,
    empty,
    in_order,
    launch,
    vector_of,
)
from tinyres_kernels.windows import output_sizes

SOURCE = "conv2d.cu"
TENSOR_CORES = {"tf32": 1, "bf16": 2}  # numbers in a word of 32 bits
WARP, THREADS, MOST_WARPS = 32, 256, 9  # MOST_WARPS: of a block of grad_w
ENOUGH_BLOCKS = 256  # two for nearly every multiprocessor of a large GPU
MOST_SHARED = 64 * 1024  # bytes of shared memory that every GPU since 2018 gives a block


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    """The bytes of y are NHWC."""
    P, Q = output_sizes(x.shape[2:], w.shape[2:], stride, padding)
    given = sizes(x.shape, w.shape, (P, Q), stride, padding)
    y = convolve("conv2d", x, w, (len(x), P, Q, len(w)), stride, given) if covered(x, w) else None
    return array.conv2d(x, w, stride, padding) if y is None else y


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gx are NHWC."""
    N, C, H, W = x_shape
    given = sizes(x_shape, w.shape, gy.shape[2:], stride, padding)
    gx = convolve("conv2d_grad_x", gy, w, (N, H, W, C), (1, 1), given) if covered(gy, w) else None
    return array.conv2d_grad_x(gy, w, x_shape, stride, padding) if gx is None else gx


def convolve(
    kernel: str, images: Array, w: Array, y_shape: tuple[int, ...], stride: Pair, given: tuple[int, ...]
) -> Array | None:
    """images (N,…,H,W) -> y, a view (N,…,P,Q) of y_shape (N,P,Q,…); None if a window does not fit into shared memory"""
    cut = cut_up(images, w.shape[2:], stride, y_shape)
    if cut is None:
        return None
    y, images, w = empty(images, y_shape), channels_last(images), in_order(w.transpose(2, 3, 1, 0))
    launch(
        SOURCE,
        kernel,
        images,
        (images, w, y, log_of_row(y.shape[2]), cut.tap_rows, *given),
        grid=cut.grid,
        threads=THREADS,
        shared=cut.shared,
        defines=defines(cut.pixels, cut.columns, cut.chunk, images, w, y),
    )
    return channels_first(y)


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gw are in the order KH, KW, C, O."""
    O, C, KH, KW = w_shape
    N, _, P, Q = gy.shape
    if not covered(gy, x):
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    taps = min(KH * KW, MOST_WARPS)  # of a block, each with as many warps as there is room for
    shares = MOST_WARPS // taps
    for pixels, chunk in ((pixels, chunk) for pixels in (128, 64, 32, 16) for chunk in chunks(C)):
        shared = window(pixels, Q, (KH, KW), stride) * pitch(x, chunk, 8) + pixels * pitch(x, 16, 8)
        if shared <= MOST_SHARED and (pixels <= 64 or P << log_of_row(Q) >= pixels):
            break
    else:
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    blocks = -(-C // chunk) * -(-KH * KW // taps), -(-O // 16)
    count = min(tiles(N, P, Q, pixels), -(-ENOUGH_BLOCKS // (blocks[0] * blocks[1])))
    x, gy = channels_last(x), channels_last(gy)
    parts_shape = count * shares, KH, KW, C, O

    def work() -> Array:
        parts = empty(gy, parts_shape)
        launch(
            SOURCE,
            "conv2d_grad_w",
            x,
            (x, gy, parts, log_of_row(Q), taps, *sizes((N, C, *x.shape[1:3]), w_shape, (P, Q), stride, padding)),
            grid=(*blocks, count),
            threads=WARP * taps * shares,
            shared=shared,
            defines=defines(pixels, max(32, 2048 // pixels), chunk, x, gy),  # columns are for the other kernels
        )
        return added_up(parts).transpose(3, 2, 0, 1)

    return beside(work, x, gy)


def added_up(parts: Array) -> Array:
    """parts (P,…) -> their sum (…)"""
    if len(parts) == 1:
        return parts[0]
    y = empty(parts, parts.shape[1:])
    grid = -(-y.size // WARP), 1, 1
    launch("conv2d_add_up.cu", "add_up", parts, (parts, y, len(parts), y.size), grid=grid, shared=8 * THREADS)
    return y


def sizes(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], size: tuple[int, ...], stride: Pair, padding: Pair
) -> tuple[int, ...]:
    """What all three kernels are told: N, C, H, W, O, P, Q, KH, KW, and the rows and columns of stride and padding."""
    return *x_shape, w_shape[0], *size, *w_shape[2:], *stride, *padding


# ---- tiles, and the windows that they need in shared memory ----------------------------------------------------------


class Cut(NamedTuple):
    """How a convolution is cut into blocks, and what these hold in shared memory at once."""

    pixels: int
    columns: int
    chunk: int  # channels of the image
    tap_rows: int  # rows of the kernel
    shared: int  # bytes
    grid: tuple[int, int, int]


def cut_up(images: Array, kernel: Pair, stride: Pair, y_shape: tuple[int, ...]) -> Cut | None:
    """The largest tiles that leave enough blocks, or else the smallest; None if no window fits into shared memory."""
    N, P, Q, O = y_shape
    large = ((256, 16), (128, 16)) if O <= 16 else ((128, 32),)
    found = None
    for pixels, columns in (*large, (64, 32), (32, 64)):
        grid = tiles(N, P, Q, pixels), -(-O // columns), 1
        if found is None and pixels > 64 and pixels >> log_of_row(Q) > P:
            continue  # it would be half empty
        for chunk, tap_rows in ((chunk, rows) for chunk in chunks(images.shape[1]) for rows in (kernel[0], 1)):
            places = window(pixels, Q, kernel, stride) + tap_rows * kernel[1] * columns
            shared = places * pitch(images, chunk, 4)
            if shared <= MOST_SHARED:
                found = Cut(pixels, columns, chunk, tap_rows, shared, grid)
                break
        if found and (grid[0] * grid[1] >= ENOUGH_BLOCKS or pixels == 64):  # still smaller ones only if none else fits
            return found
    return found


def log_of_row(Q: int) -> int:
    """Of a tile's columns: 8, 16 or 32 of them, as many as the output's row has if possible."""
    return 3 if Q <= 8 else 4 if Q <= 16 else 5


def tiles(N: int, P: int, Q: int, pixels: int) -> int:
    return N * -(-P // (pixels >> log_of_row(Q))) * -(-Q >> log_of_row(Q))


def window(pixels: int, Q: int, kernel: Pair, stride: Pair) -> int:
    """How many of the image's pixels the windows of a tile's pixels cover."""
    rows, columns = pixels >> log_of_row(Q), 1 << log_of_row(Q)
    return ((rows - 1) * stride[0] + kernel[0]) * ((columns - 1) * stride[1] + kernel[1])


def chunks(channels: int) -> tuple[int, ...]:
    """How many channels can be in shared memory at once, the best first: all, if they are no more than 64."""
    return tuple(chunk for chunk in (64, 32, 16) if chunk < 2 * channels or chunk == 16)


def pitch(x: Array, chunk: int, pad: int) -> int:
    """Bytes in shared memory from a pixel's numbers to the next one's; pad: words in between, at most."""
    kind = kind_of(x)
    return 4 * (chunk // TENSOR_CORES[kind] + pad) if kind else x.dtype.itemsize * chunk + 16


def defines(pixels: int, columns: int, chunk: int, *arrays: Array) -> tuple[str, ...]:
    """arrays: in order. Four numbers are fetched at once where all four belong to one pixel."""
    vector = min(vector_of(a.shape[-1], a) for a in arrays)
    named = f"PIXELS={pixels}", f"COLUMNS={columns}", f"CHUNK={chunk}", f"VECTOR={vector}"
    kind = kind_of(arrays[0])
    return (*named, f"FACTOR={kind}") if kind else named


def kind_of(x: Array) -> str | None:
    """How the tensor cores multiply it, if they do."""
    return products.get() if x.dtype == np.float32 and products.get() in TENSOR_CORES else None
