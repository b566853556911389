"""What this processor offers a kernel: the width of its vectors, how many it can hold, and which tiles fit."""

from __future__ import annotations

import llvmlite.binding
import numba
import numpy as np


def vector_unit() -> tuple[int, int]:
    """(bytes in a vector, number of vector registers)"""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 32
    if features.get("avx2"):
        return 32, 16
    if llvmlite.binding.get_process_triple().startswith(("aarch64", "arm64")):
        return 16, 32  # NEON
    return 16, 16  # SSE


CACHE_LINE = 64  # bytes
VECTOR_BYTES, REGISTERS = vector_unit()

# (rows, vectors): the sums take half of the registers. That is enough to hide a multiply-add's latency (4 or 5 cycles,
# two started in each), and leaves room for the factors. The best come first: fewest loads per multiply-add, then the
# shape that divides most layers evenly.
TILES = ((8, 2), (16, 1), (4, 4)) if REGISTERS == 32 else ((4, 2), (8, 1), (2, 4))


def lanes(dtype: np.dtype) -> int:
    return VECTOR_BYTES // dtype.itemsize


def best_tile(rows: int, channels: int, dtype: np.dtype) -> tuple[int, int]:
    """The tile of TILES that covers rows × channels with the least work beyond the edges."""

    def work(tile: tuple[int, int]) -> int:
        return up(rows, tile[0]) * up(channels, tile[1] * lanes(dtype))

    return min(TILES, key=work)


def up(count: int, step: int) -> int:
    """count, rounded up to a multiple of step."""
    return -(-count // step) * step


def threads() -> int:
    return numba.get_num_threads()
