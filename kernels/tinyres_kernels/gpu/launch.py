"""How a kernel gets to the GPU: its source is compiled at the first use, by CuPy, for the numbers and sizes at hand.

A `.cu` file stands beside the Python file that launches what is in it. What varies is compiled in, as -Dreal=float or
-DCOLUMNS=32, for a loop whose length is known is a loop that the compiler can unroll.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tinyres_kernels.array.conv2d import in_order

Array = Any
FOLDER = Path(__file__).parent
THREADS = 256  # of a block, where a kernel does not say otherwise
MOST_BLOCKS = 4096  # several for each of a large GPU's multiprocessors; more threads than that take turns
MOST_NUMBERS = 2**31 - 1  # of an array: kernels count in 32 bits, which take half the time of 64
TENSOR_CORES_SINCE = 80  # compute capability 8.0: the first whose tensor cores take TF32 and bf16
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


@cache
def load(source: str, *defines: str) -> Any:
    """The module compiled from that file, as CuPy's RawModule. RuntimeError: this GPU cannot do what it asks for."""
    import cupy

    if any(define.startswith("FACTOR=") for define in defines):
        found = int(cupy.cuda.Device().compute_capability)
        if found < TENSOR_CORES_SINCE:
            raise RuntimeError(
                f"TF32 and bf16 need a GPU of compute capability 8.0 or newer, this one has {found / 10}: "
                'leave --precision out, or tinyres.set_float32_matmul_precision("highest")'
            )
    options = ("--std=c++17", f"-I{FOLDER}", *(f"-D{define}" for define in defines))
    return cupy.RawModule(code=(FOLDER / source).read_text(encoding="utf-8"), options=options)


def launch(
    source: str,
    kernel: str,
    like: Array,
    arguments: Sequence[Any],
    *,
    grid: Sequence[int],
    threads: int = THREADS,
    shared: int = 0,
    defines: Sequence[str] = (),
) -> None:
    """Run that file's kernel on `grid` blocks of so many threads, for numbers of the type that `like` has.

    arguments: arrays, and whole numbers, which the kernel takes as int. shared: bytes of shared memory for each block.
    """
    function = load(source, f"real={REALS[like.dtype]}", *defines).get_function(kernel)
    passed = tuple(np.int32(a) if isinstance(a, (int, np.integer)) else a for a in arguments)
    function(tuple(grid), (threads, 1, 1), passed, shared_mem=shared)


def blocks_for(count: int) -> tuple[int, int, int]:
    """A grid for kernels that give every number its own thread."""
    return min(-(-count // THREADS), MOST_BLOCKS), 1, 1


def covered(*arrays: Array) -> bool:
    """Do the kernels serve these arrays? All of float32, or all of float64, none empty, none too large."""
    dtype = arrays[0].dtype
    return dtype in REALS and all(a.dtype == dtype and 0 < a.size <= MOST_NUMBERS for a in arrays)


def empty(like: Array, shape: Sequence[int], dtype: Any = None) -> Array:
    """New memory on the device where `like` is. ValueError: it would be more than kernels can count."""
    if prod(shape) > MOST_NUMBERS:
        raise ValueError(f"an array of {tuple(shape)} is too large for the GPU's kernels; use a smaller batch")
    return np.empty_like(like, shape=tuple(shape), dtype=dtype, order="C")


def address(x: Array) -> int:
    """Where its first number lies in the device's memory."""
    return x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr


def channels_last(x: Array) -> Array:
    """x (N,C,…) -> (N,…,C), its bytes in that order: a view where they lie so, else a copy."""
    return in_order(x.transpose(0, *range(2, x.ndim), 1))


def channels_first(x: Array) -> Array:
    """x (N,…,C) -> (N,C,…), a view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
