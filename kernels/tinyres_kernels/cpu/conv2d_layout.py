"""An image laid out for the tiles of convolution, in scratch memory small enough to stay in a processor's cache.

    scratch (blocks, rows, phases, columns, 16)

Zeros surround the image, so the tiles need not check where it ends. Its channels lie in blocks of 16, so that
neighbouring output pixels read numbers exactly 16 apart: a fixed distance costs nothing to address, while one known
only at run time costs a register or a reload for every pixel. With a stride s the columns are dealt into s phases,
0 s 2s …, 1 s+1 2s+1 … and so on, which makes the columns that neighbouring pixels read neighbours again.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu.cache import compiled
from tinyres_kernels.cpu.conv2d_tile import BLOCK, copy_block
from tinyres_kernels.cpu.host import up


def laid_out_shape(
    C: int, size: tuple[int, ...], kernel: Pair, stride: Pair, pixels: int = 1
) -> tuple[int, int, int, int, int]:
    """(blocks, rows, phases, columns, BLOCK) of a laid-out image, with room for tiles of `pixels` pixels."""
    rows = (size[0] - 1) * stride[0] + kernel[0]
    columns = up(size[1], pixels) + (kernel[1] - 1) // stride[1]
    return up(C, BLOCK) // BLOCK, rows, min(stride[1], kernel[1]), columns, BLOCK


@cache
def tap_offsets(C: int, group: int, kernel: Pair, stride: Pair, shape: tuple[int, ...]) -> Array:
    """Where in a laid-out image the first output pixel reads, for every (i, j, group of channels)."""
    _, rows, phases, columns, _ = shape
    i, j, c = np.meshgrid(np.arange(kernel[0]), np.arange(kernel[1]), np.arange(0, C, group), indexing="ij")
    line = (c // BLOCK * rows + i) * phases + j % stride[1]
    return ((line * columns + j // stride[1]) * BLOCK + c % BLOCK).ravel()


@compiled
def share_of(worker, workers, images):
    """(first, last + 1) of the images that this worker takes: always the same ones, so that sums come out the same."""
    return worker * images // workers, (worker + 1) * images // workers


@compiled
def lay_out(x, n, x_shape, laid, laid_shape, first, last, stride, padding):
    """Copy rows first to last − 1 of image n of x (N,H,W,C) into laid. What is outside the image stays zero."""
    _, H, W, C = x_shape
    _, rows, phases, columns, _ = laid_shape
    for row in range(max(first, padding[0]), min(last, H + padding[0])):
        for phase in range(phases):
            offset = phase - padding[1]  # column k of this phase is x's column k·stride + offset
            begin = max(0, -(offset // stride[1]))
            end = min(columns, -((offset - W) // stride[1]))
            source = (((n * H + row - padding[0]) * W) + begin * stride[1] + offset) * C
            for c in range(0, C, BLOCK):
                target = (((c // BLOCK * rows + row) * phases + phase) * columns + begin) * BLOCK
                copy_pixels(x, source + c, stride[1] * C, laid, target, end - begin, min(BLOCK, C - c))


@compiled
def copy_pixels(source, source_at, source_step, target, target_at, pixels, channels):
    """Copy `channels` values of each pixel in a row; the pixels are source_step apart and come to lie BLOCK apart."""
    if channels == BLOCK:
        for k in range(pixels):
            copy_block(source, source_at + k * source_step, target, target_at + k * BLOCK)
    else:
        for k in range(pixels):
            for c in range(channels):
                target[target_at + k * BLOCK + c] = source[source_at + k * source_step + c]
