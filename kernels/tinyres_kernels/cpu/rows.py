"""What kernels share that work on pixels one by one: an image as rows of channels, taken in portions for the processor.

With NHWC bytes each pixel of an image is a row of C neighbouring numbers, and x is one run of M such rows. A loop over
the 16 channels of a pixel would end before it is up to speed, so many rows are taken at a time as one *wide row* of 256
numbers or more. What belongs to the channels (their means, say) is repeated to that width:

    x      c0 c1 c2 c0 c1 c2 c0 c1 c2 c0 c1 c2 ...
    mean   m0 m1 m2 m0 m1 m2                          used for the first wide row, then for the second, ...

The threads take wide rows in *blocks* that fit into the fastest cache. Sums are kept for each block and then added up
in the order of the blocks, so the result is the same bit for bit with any number of threads.

Every kernel deals out blocks, or images, in order, so a thread meets the part of an activation that it wrote itself in
the op before. That matters. When second passes ran from the last block to the first, to use what was still in the
cache, each core read what the other had written, and a ResNet-20 step took up to a third longer.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled

WIDTH = 256  # 16 vectors of AVX-512, in float32
BLOCK_BYTES = 32 << 10  # the two passes over a block of x find it in a first-level cache of 48 KiB


def covered(x: Array, *dtypes: type) -> bool:
    """Is x (N,C,…) float32 or float64 (or of `dtypes`), not empty, and are its bytes NHWC without gaps?"""
    return x.dtype in (dtypes or (np.float32, np.float64)) and x.size > 0 and channels_moved_last(x).flags.c_contiguous


def channels_moved_last(x: Array) -> Array:
    """x (N,C,…) -> (N,…,C), a view. (np.moveaxis takes ten times as long, and this runs 300 times a step.)"""
    return x.transpose(0, *range(2, x.ndim), 1)


def channels_last(x: Array) -> Array:
    """x (N,C,…) -> (N,…,C) without gaps: a view if the bytes are in that order, else a copy."""
    return np.ascontiguousarray(channels_moved_last(x))


def flat(x: Array) -> Array:
    """x (N,C,…) -> (N·…·C), channels innermost: a view if the bytes are in that order, else a copy."""
    return channels_last(x).reshape(-1)


def empty_like(x: Array, shape: tuple[int, ...] | None = None, dtype: type | None = None) -> Array:
    """A new array of that shape and dtype (else x's), its bytes NHWC."""
    N, C, *size = x.shape if shape is None else shape
    channels_last = memory.empty((N, *size, C), np.dtype(dtype or x.dtype))
    return channels_last.transpose(0, len(size) + 1, *range(1, len(size) + 1))


def wide(values: Array, dtype: np.dtype) -> Array:
    """values (C) repeated to the width of a wide row."""
    return np.concatenate([values.astype(dtype)] * -(-WIDTH // values.size))


def channel_gradients(sums: Array, r: Array, x: Array) -> tuple[Array, Array]:
    """Every block's Σ gy and Σ gy·(x − mean), (2,blocks,C) -> gbeta (C), ggamma (C), of x's dtype"""
    gbeta, products = sums.sum(1)
    return gbeta.astype(x.dtype), (products * r).astype(x.dtype)


@compiled
def block_length(x, width):
    """The numbers in a block of x, a multiple of the width."""
    return max(1, BLOCK_BYTES // (width * x.itemsize)) * width


@compiled
def blocks_of(x, width):
    """The number of blocks in x, the last of which may be shorter."""
    return -(-x.size // block_length(x, width))


@compiled
def wide_rows(x, width, block):
    """Where in x each wide row of that block begins."""
    length = block_length(x, width)
    return range(block * length, min((block + 1) * length, x.size), width)


@compiled
def fold(wide_sums, sums):
    """sums[c] += all of wide_sums that belong to channel c."""
    C = sums.size
    for at in range(0, wide_sums.size, C):
        for c in range(C):
            sums[c] += wide_sums[at + c]
