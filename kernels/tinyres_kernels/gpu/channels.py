"""The launches of kernels that treat each channel separately (channels.cuh), in blocks of rows and channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import empty, in_order, launch

THREADS = 256  # of channels.cuh
MOST_PARTS = 512  # of the rows: enough blocks for every multiprocessor of a large GPU
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


def by_channel(source: str, kernel: str, x: Array, *arrays: Array) -> None:
    """kernel(arrays…, part, M, C), for x (N,C,…)."""
    C, M, part = sizes(x)
    width = 16 if C <= 16 else 32
    arguments = *map(in_order, arrays), part, M, C  # vectors of the channels may come in any order of bytes
    launch_by_channel(source, kernel, x, arguments, C, width, -(-M // part))


def over_parts(source: str, kernel: str, like: Array, parts: Array, *arguments: Any) -> None:
    """kernel(parts, arguments…), for parts (P,C) of float64; a block has few channels, so that more threads share P."""
    launch_by_channel(source, kernel, like, (parts, *arguments), parts.shape[1], 8, 1)


def launch_by_channel(
    source: str, kernel: str, like: Array, arguments: Sequence[Any], C: int, width: int, blocks: int
) -> None:
    """Launch kernel(arguments…) with `width` channels in a block, and `blocks` of them along the rows."""
    launch(
        source,
        kernel,
        like,
        arguments,
        grid=(blocks, -(-C // width), 1),
        threads=THREADS,
        shared=THREADS * 8,  # the largest numbers that are summed have 8 bytes
        defines=(f"WIDTH={width}",),
    )
