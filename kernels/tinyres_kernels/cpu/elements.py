"""What kernels share that treat every number alike: arrays as flat runs of numbers.

Such a kernel does not ask for NHWC bytes, as those in rows.py do. It only needs all its arrays in the same order: then
the first number of one belongs to the first of the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.cpu import memory, rows

# Smaller arrays go to the rung below. NumPy adds two of this size in 14 µs, or in 180 µs if the sum gets fresh memory.
# A compiled kernel takes 22 µs, and 10 to 100 more to wake another thread. (One core of an AMD EPYC, float32.)
LEAST_BYTES = 512 << 10


def covered(*arrays: Array) -> bool:
    """Are these arrays large, of one shape, all float32 or all float64, and all in their axes' order or all NHWC?"""
    first = arrays[0]
    return (
        first.nbytes >= LEAST_BYTES
        and first.dtype in (np.float32, np.float64)
        and all(x.shape == first.shape and x.dtype == first.dtype for x in arrays)
        and (all(in_order(x) for x in arrays) or all(is_nhwc(x) for x in arrays))
    )


def in_order(x: Array) -> bool:
    """Are x's bytes in the order of its axes, without gaps?"""
    return x.flags.c_contiguous


def is_nhwc(x: Array) -> bool:
    """Are they in order once the channels are the last axis?"""
    return x.ndim > 2 and rows.channels_moved_last(x).flags.c_contiguous


def each_number(kernel: Callable, *arrays: Array) -> Array:
    """Calls kernel(arrays…, y) on flat arrays; y has their shape, dtype and order."""
    first = arrays[0]
    y = memory.empty(first.shape, first.dtype) if in_order(first) else rows.empty_like(first)
    kernel(*map(flat, arrays), flat(y))
    return y


def flat(x: Array) -> Array:
    """x as one run of numbers in memory's order, a view."""
    return x.reshape(-1) if in_order(x) else rows.flat(x)
