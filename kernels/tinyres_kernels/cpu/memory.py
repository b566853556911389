"""Arrays that begin where a cache line begins. A vector that lies across two lines costs two loads instead of one."""

from __future__ import annotations

import math

import numpy as np

from tinyres_kernels.cpu.host import CACHE_LINE


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return aligned(np.empty, shape, dtype)


def zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return aligned(np.zeros, shape, dtype)


def aligned(make, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = make(size + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size].view(dtype).reshape(shape)
