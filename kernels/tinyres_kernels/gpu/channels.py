"""The launches of kernels that treat each channel separately (channels.cuh), in blocks of rows and channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import empty, in_order, launch, vector_of

THREADS = 256  # of channels.cuh
MOST_BLOCKS = 264  # two for each of an H100's 132 multiprocessors: their threads' registers fit there at once
LEAST_ROWS = 32  # of a block


def by_channel(source: str, kernel: str, x: Array, *arrays: Array) -> None:
    """kernel(arrays…, rows, M, C), for x (N,C,…)."""
    C, M, width, rows = sizes(x)
    arguments = *map(in_order, arrays), rows, M, C  # vectors of the channels may come in any order of bytes
    launch_by_channel(source, kernel, x, arguments, C, width, -(-M // rows))


def sums_by_channel(source: str, kernel: str, x: Array, inputs: Sequence[Array], *outputs: Any) -> None:
    """kernel(inputs…, parts, outputs…, rows, M, C), which adds up all rows of x (N,C,…) by channel_sums.cuh."""
    C, M, width, rows = sizes(x)
    blocks = -(-M // rows)
    arguments = *map(in_order, inputs), empty(x, (2, blocks, C)), *outputs, rows, M, C
    launch_by_channel(source, kernel, x, arguments, C, width, blocks, sums=2)


def sizes(x: Array) -> tuple[int, int, int, int]:
    """C, M, and how many channels and how many of the M rows a block takes."""
    C = x.shape[1]
    M, width = x.size // C, 16 if C <= 16 else 32
    return C, M, width, max(LEAST_ROWS, -(-M * -(-C // width) // MOST_BLOCKS))


def launch_by_channel(
    source: str,
    kernel: str,
    like: Array,
    arguments: Sequence[Any],
    C: int,
    width: int,
    blocks: int,
    sums: int = 0,
) -> None:
    """Launch kernel(arguments…) with `width` channels in a block, and `blocks` of them along the rows.

    sums: how many a thread keeps in shared memory for each of its channels, of 8 bytes at most
    """
    vector = vector_of(C, *(argument for argument in arguments if hasattr(argument, "shape")))
    launch(
        source,
        kernel,
        like,
        arguments,
        grid=(blocks, -(-C // width), 1),
        threads=THREADS,
        shared=THREADS * vector * sums * 8,
        defines=(f"WIDTH={width}", f"VECTOR={vector}"),
    )
