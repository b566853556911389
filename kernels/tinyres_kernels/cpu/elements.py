"""What kernels share that treat every number alike: arrays as flat runs of numbers.

Where a number stands makes no difference to such a kernel. So it does not ask for NHWC bytes, as those in rows.py do,
but only that all its arrays lie in the same order: then the first number of one belongs to the first of the others.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.cpu import memory, rows

# Smaller arrays go to the rung below. Two of this size NumPy adds in 14 µs, or in 180 where the sum gets fresh memory.
# Compiled it takes 22, and 10 to 100 more to wake another thread. (One core of an AMD EPYC, float32.)
LEAST_BYTES = 512 << 10


def covered(*arrays: np.ndarray) -> bool:
    """Are these of one shape, all float32 or all float64, large, and the bytes of all in order or of all NHWC?"""
    first = arrays[0]
    return (
        first.nbytes >= LEAST_BYTES
        and first.dtype in (np.float32, np.float64)
        and all(x.shape == first.shape and x.dtype == first.dtype for x in arrays)
        and (all(in_order(x) for x in arrays) or all(is_nhwc(x) for x in arrays))
    )


def in_order(x: np.ndarray) -> bool:
    """Do x's bytes lie as its axes are numbered, without gaps?"""
    return x.flags.c_contiguous


def is_nhwc(x: np.ndarray) -> bool:
    """Do they lie so once the channels are last?"""
    return x.ndim > 2 and rows.channels_moved_last(x).flags.c_contiguous


def flat(x: np.ndarray) -> np.ndarray:
    """x as one run of numbers in memory's order, a view."""
    return x.reshape(-1) if in_order(x) else rows.flat(x)


def empty_like(x: np.ndarray) -> np.ndarray:
    """A new array of x's shape, type and order."""
    return memory.empty(x.shape, x.dtype) if in_order(x) else rows.empty_like(x)
