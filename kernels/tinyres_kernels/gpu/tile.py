"""The launches of kernels that are matrix products in tiles: tile.cuh, and on the tensor cores conv2d_tile_mma.cuh."""

from __future__ import annotations

from typing import Any

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import address, launch

ROWS, DEPTH, THREADS = 128, 16, 128  # of both
PLACE = 12  # bytes kept for a row, or for a place in the depth, if it is a pixel or a tap: three ints
TENSOR_CORES = {"tf32": 1, "bf16": 2}  # numbers that a word of 32 bits holds


def product(
    source: str, kernel: str, arguments: tuple[Any, ...], rows: int, columns: int, parts: int = 1, place: int = PLACE
) -> None:
    """Launch a kernel that is a matrix product of rows × columns numbers, with its depth cut into parts.

    place: bytes that the kernel keeps for a row, or for a place in the depth
    """
    like, width = arguments[0], width_of(columns)
    shared = DEPTH * (ROWS + 1 + width) * like.dtype.itemsize + (ROWS + DEPTH) * place
    grid = -(-rows // ROWS), -(-columns // width), parts
    launch(source, kernel, like, arguments, grid=grid, threads=THREADS, shared=shared, defines=(f"COLUMNS={width}",))


def rounded_product(
    kind: str, source: str, kernel: str, arguments: tuple[Any, ...], rows: int, columns: int, parts: int = 1
) -> None:
    """The same for float32 on tensor cores. kind: one of TENSOR_CORES. The first two arguments are the factors."""
    width = width_of(columns)
    grid = -(-rows // ROWS), -(-columns // width), parts
    shared = tensor_core_memory(width, TENSOR_CORES[kind])
    defines = f"COLUMNS={width}", f"FACTOR={kind}", f"VECTOR={vector(arguments[:2])}"
    launch(source, kernel, arguments[0], arguments, grid=grid, threads=THREADS, shared=shared, defines=defines)


def width_of(columns: int) -> int:
    """The width of the tile for a product with that many columns."""
    return next((width for width in (16, 32) if columns <= width), 64)


def tensor_core_memory(width: int, numbers_in_a_word: int) -> int:
    """Bytes of shared memory: in conv2d_tile_mma.cuh, Factor::BYTES of both factors, A in the longer of its layouts."""
    words = DEPTH // numbers_in_a_word
    a, b = max(ROWS * (words + 4), words * (ROWS + 8)), words * (width + 8)
    return 2 * (a + b) * 4 + (ROWS + 2 * DEPTH) * PLACE + (width + 2 * DEPTH) * 4


def vector(factors: tuple[Array, ...]) -> int:
    """How many numbers one access fetches: four if any four neighbours from a multiple of four belong to one pixel."""
    return 4 if all(a.shape[-1] % 4 == 0 and address(a) % 16 == 0 for a in factors) else 1
