"""The launches of kernels that treat every channel by itself (channels.cuh): blocks of some rows and some channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyres_kernels.array.conv2d import in_order
from tinyres_kernels.gpu.launch import empty, launch

Array = Any
THREADS = 256  # of channels.cuh
MOST_PARTS = 512  # of the rows: blocks enough for every multiprocessor of a large GPU
LEAST_ROWS = 64  # of a part


def sizes(x: Array) -> tuple[int, int, int]:
    """C, M, and how many of the M rows make a part."""
    C = x.shape[1]
    M = x.size // C
    return C, M, max(LEAST_ROWS, -(-M // MOST_PARTS))


def parts_of(x: Array) -> Array:
    """Room for a sum of every part and channel, (parts, C) in float64."""
    C, M, part = sizes(x)
    return empty(x, (-(-M // part), C), np.float64)


def added_up(sums: Array, products: Array, r: Array) -> tuple[Array, Array]:
    """gbeta (C), ggamma (C) from every part's Σ gy and Σ gy·(x − mean)"""
    return sums.sum(0).astype(r.dtype), (products.sum(0) * r).astype(r.dtype)


def by_channel(source: str, kernel: str, x: Array, *arrays: Array) -> None:
    """kernel(arrays…, part, M, C), for x (N,C,…)."""
    C, M, part = sizes(x)
    width = 16 if C <= 16 else 32
    launch(
        source,
        kernel,
        x,
        (*map(in_order, arrays), part, M, C),  # what belongs to the channels may come from a caller in any order
        grid=(-(-M // part), -(-C // width), 1),
        threads=THREADS,
        shared=THREADS * x.dtype.itemsize,
        defines=(f"WIDTH={width}",),
    )
