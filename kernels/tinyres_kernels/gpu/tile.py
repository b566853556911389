"""The launches of kernels that are matrix products in tiles (tile.cuh)."""

from __future__ import annotations

from typing import Any

from tinyres_kernels.gpu.launch import launch

ROWS, DEPTH, THREADS = 128, 16, 128  # of tile.cuh


def product(
    source: str, kernel: str, arguments: tuple[Any, ...], rows: int, columns: int, parts: int = 1, place: int = 12
) -> None:
    """Launch a kernel that is a matrix product of so many rows and columns, its depth cut into parts.

    place: bytes of what the kernel keeps of a row, or of a place in the depth; three ints if it is a pixel or a tap
    """
    like = arguments[0]
    width = next((width for width in (16, 32) if columns <= width), 64)
    numbers, places = DEPTH * (ROWS + 1 + width), ROWS + DEPTH
    launch(
        source,
        kernel,
        like,
        arguments,
        grid=(-(-rows // ROWS), -(-columns // width), parts),
        threads=THREADS,
        shared=numbers * like.dtype.itemsize + places * place,
        defines=(f"COLUMNS={width}",),
    )
