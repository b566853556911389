"""What kernels share that treat every pixel alike: images as rows of channels, taken in portions that suit the machine.

With NHWC bytes an image has a row of C neighbouring numbers for each pixel, and x is one run of such rows, M in all. A
loop over the 16 channels of a pixel would be over before it is up to speed, so the rows are taken many at a time, as
one *wide row* of 256 numbers or more, and what belongs to the channels (their means, say) is repeated to that width:

    x      c0 c1 c2 c0 c1 c2 c0 c1 c2 c0 c1 c2 ...
    mean   m0 m1 m2 m0 m1 m2                          laid over the first wide row, then the second, ...

Wide rows go to the threads in *blocks* that fit the fastest cache. Sums are kept for each block and then added up in
the blocks' order, so the result is the same bit for bit, however many threads took part.

Every kernel deals blocks, or images, out in order, so a thread meets the part of an activation that it wrote itself in
the op before. That matters: when second passes ran from the last block to the first, for the sake of what was still in
the cache, each core read what the other had written, and a ResNet-20 step took up to a third longer.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled

WIDTH = 256  # 16 vectors of AVX-512, in float32
BLOCK_BYTES = 32 << 10  # the two passes over a block of x find it in a first-level cache of 48 KiB


def covered(x: np.ndarray, *dtypes: type) -> bool:
    """Is x (N,C,…) of float32 or float64 (or of `dtypes`), not empty, and its bytes NHWC without gaps?"""
    return x.dtype in (dtypes or (np.float32, np.float64)) and x.size > 0 and channels_moved_last(x).flags.c_contiguous


def channels_moved_last(x: np.ndarray) -> np.ndarray:
    """x (N,C,…) -> (N,…,C), a view. (np.moveaxis takes ten times as long, and this runs 300 times a step.)"""
    return x.transpose(0, *range(2, x.ndim), 1)


def channels_last(x: np.ndarray) -> np.ndarray:
    """x (N,C,…) -> (N,…,C) without gaps: a view where the bytes lie so, else a copy."""
    return np.ascontiguousarray(channels_moved_last(x))


def flat(x: np.ndarray) -> np.ndarray:
    """x (N,C,…) -> (N·…·C), channels innermost: a view where the bytes lie so, else a copy."""
    return channels_last(x).reshape(-1)


def empty_like(x: np.ndarray, shape: tuple[int, ...] | None = None, dtype: type | None = None) -> np.ndarray:
    """A new array of that shape and dtype (else x's), its bytes NHWC."""
    N, C, *size = x.shape if shape is None else shape
    channels_last = memory.empty((N, *size, C), np.dtype(dtype or x.dtype))
    return channels_last.transpose(0, len(size) + 1, *range(1, len(size) + 1))


def wide(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """values (C) repeated to the width of a wide row."""
    return np.concatenate([values.astype(dtype)] * -(-WIDTH // values.size))


@compiled
def block_length(width, itemsize):
    """How many numbers make a block: whole wide rows."""
    return max(1, BLOCK_BYTES // (width * itemsize)) * width


@compiled
def fold(wide_sums, sums):
    """sums[c] += all of wide_sums that belong to channel c."""
    C = sums.size
    for at in range(0, wide_sums.size, C):
        for c in range(C):
            sums[c] += wide_sums[at + c]
