"""Arrays that begin where a cache line begins, in memory that is used again and again.

A vector that lies across two cache lines costs two loads instead of one, hence the beginning. And fresh memory is
expensive: the system hands it out page by page, at the first touch, filled with zeros. A training step needs the same
buffers every time, so a buffer is lent to an array, comes back when the last array on it is gone, and is lent again.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from tinyres_kernels.cpu.host import CACHE_LINE

KEEP_BYTES = 2 << 30  # what comes back beyond this is given to the system: sizes that are never asked for again


class Shelf:
    """The buffers that are not lent, by their size. (Lists are safe to share: an append or a pop is one step.)"""

    def __init__(self, limit: int = KEEP_BYTES) -> None:
        self.limit = limit  # of its own: at the end of the program, buffers come back when the module is already gone
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
    """A buffer while it is lent. Arrays refer to it, NumPy sees to that; when none does any more, it goes back."""

    def __init__(self, size: int, shelf: Shelf) -> None:
        self.shelf = shelf
        self.buffer = shelf.take(size)
        self.__array_interface__ = self.buffer.__array_interface__

    def __del__(self) -> None:
        self.shelf.put(self.buffer)


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """As np.empty: whatever lay there before is in it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.asarray(Loan(size, SHELF)).view(dtype).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """As np.zeros."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def new_buffer(size: int) -> np.ndarray:
    """uint8 (size), beginning at a cache line."""
    raw = np.empty(size + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size]
