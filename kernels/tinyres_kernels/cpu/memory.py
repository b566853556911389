"""Arrays that begin at a cache line, in memory that is used again and again.

A vector across two cache lines costs two loads instead of one, so arrays begin at the start of a line. And fresh memory
is expensive: the system gives it out page by page, at the first touch, filled with zeros. A training step needs the
same buffers every time, so a buffer is lent to an array, comes back when no array uses it any more, and is lent again.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from tinyres_kernels.cpu.host import CACHE_LINE

KEEP_BYTES = 2 << 30  # buffers beyond this go back to the system, for some sizes are never asked for again


class Shelf:
    """The buffers that are not lent, by size. (Threads may share the lists: an append or a pop is one step.)"""

    def __init__(self, limit: int = KEEP_BYTES) -> None:
        self.limit = limit  # its own: when the program ends, buffers come back after the module is gone
        self.buffers: defaultdict[int, list[np.ndarray]] = defaultdict(list)
        self.bytes = 0

    def take(self, size: int) -> np.ndarray:
        try:
            buffer = self.buffers[size].pop()
        except IndexError:
            return new_buffer(size)
        self.bytes -= size
        return buffer

    def put(self, buffer: np.ndarray) -> None:
        if self.bytes + buffer.size <= self.limit:
            self.bytes += buffer.size
            self.buffers[buffer.size].append(buffer)


SHELF = Shelf()


class Loan:
    """A buffer while it is lent. NumPy's arrays refer to it; when none does any more, it goes back to the shelf."""

    def __init__(self, size: int, shelf: Shelf) -> None:
        self.shelf = shelf
        self.buffer = shelf.take(size)
        self.__array_interface__ = self.buffer.__array_interface__

    def __del__(self) -> None:
        self.shelf.put(self.buffer)


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """As np.empty: it holds whatever was there before."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.asarray(Loan(size, SHELF)).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """As np.zeros."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def new_buffer(size: int) -> np.ndarray:
    """uint8 (size) that begins at a cache line."""
    raw = np.empty(size + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size]
