"""How a kernel gets to the GPU: at the first use CuPy compiles its source for the given dtype and sizes.

Each `.cu` file is beside the Python file that launches its kernels. What varies is compiled in, as -Dreal=float or
-DCOLUMNS=32, because the compiler can unroll a loop only if it knows its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from math import gcd, prod
from pathlib import Path
from typing import Any

import numpy as np

from tinyres_kernels.contract import Array

FOLDER = Path(__file__).parent
THREADS = 256  # of a block, unless a kernel says otherwise
MOST_BLOCKS = 4096  # several for each multiprocessor of a large GPU; beyond that a thread takes several numbers
MOST_NUMBERS = 2**31 - 1  # of an array: kernels count in 32 bits, which takes half the time of 64
TENSOR_CORES_SINCE = 80  # compute capability 8.0: the first whose tensor cores take TF32 and bf16
UNASKED = 48 * 1024  # bytes of shared memory that every block may have; more must be asked for
REALS = {np.dtype(np.float32): "real=float", np.dtype(np.float64): "real=double"}


@cache
def load(source: str, kernel: str, *defines: str) -> Any:
    """That file's kernel, as CuPy's RawKernel, which is compiled once for every GPU that it is launched on.

    RuntimeError: this GPU lacks what it needs.
    """
    import cupy

    if any(define.startswith("FACTOR=") for define in defines):
        found = int(cupy.cuda.Device().compute_capability)
        if found < TENSOR_CORES_SINCE:
            raise RuntimeError(
                f"TF32 and bf16 need a GPU of compute capability 8.0 or newer, this one has {found / 10}: "
                'leave --precision out, or tinyres.set_float32_matmul_precision("highest")'
            )
    text = (FOLDER / source).read_text(encoding="utf-8")
    return cupy.RawModule(code=text, options=options(*defines)).get_function(kernel)


def options(*defines: str) -> tuple[str, ...]:
    """The compiler's.

    CuPy keeps what it compiled in files. It finds it again by the source's text and these options alone, whatever the
    source includes. So one option is made from the text of all headers.
    """
    headers = sha256(b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.cuh")))).hexdigest()
    return "--std=c++17", f"-I{FOLDER}", f"-DHEADERS={headers[:16]}", *(f"-D{define}" for define in defines)


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
    """Run that file's kernel on `grid` blocks of `threads` threads, with `like`'s dtype as real.

    arguments: arrays, ints, which the kernel takes as int, and floats, which it takes as real.
    shared: bytes of shared memory for each block.
    """
    function = load(source, kernel, REALS[like.dtype], *defines)
    if shared > UNASKED:
        function.max_dynamic_shared_size_bytes = shared
    function(tuple(grid), (threads, 1, 1), tuple(as_passed(a, like) for a in arguments), shared_mem=shared)


def as_passed(argument: Any, like: Array) -> Any:
    """A kernel's argument, with a number in the type that the kernel declares."""
    if isinstance(argument, float):
        return like.dtype.type(argument)
    return np.int32(argument) if isinstance(argument, (int, np.integer)) else argument


def blocks_for(count: int) -> tuple[int, int, int]:
    """A grid for kernels with one thread for each number."""
    return min(-(-count // THREADS), MOST_BLOCKS), 1, 1


def covered(*arrays: Array) -> bool:
    """Are these arrays all float32 or all float64, none empty and none too large?"""
    dtype = arrays[0].dtype
    return dtype in REALS and all(a.dtype == dtype and 0 < a.size <= MOST_NUMBERS for a in arrays)


def empty(like: Array, shape: Sequence[int], dtype: Any = None) -> Array:
    """New memory on the device where `like` is. ValueError if kernels cannot count that many numbers."""
    if prod(shape) > MOST_NUMBERS:
        raise ValueError(f"an array of {tuple(shape)} is too large for the GPU's kernels; use a smaller batch")
    return np.empty_like(like, shape=tuple(shape), dtype=dtype, order="C")


def address(x: Array) -> int:
    """The address of its first number in the device's memory."""
    return x.ctypes.data if isinstance(x, np.ndarray) else x.data.ptr


def vector_of(length: int, *arrays: Array) -> int:
    """VECTOR for vector.cuh: 4 if rows of that length in these arrays consist of vectors at multiples of 16 bytes."""
    return 4 if length % 4 == 0 and all(address(a) % 16 == 0 for a in arrays) else 1


def in_order(x: Array) -> Array:
    """x with its bytes in the order of its axes: x itself, or a copy, made by spread.cu where possible."""
    if x.flags.c_contiguous:
        return x
    if not covered(x) or not 1 <= x.ndim <= 4:
        return x.copy()
    return set_in(x, x.shape, [0] * x.ndim, [1] * x.ndim, 0.0)


def set_in(x: Array, shape: Sequence[int], first: Sequence[int], step: Sequence[int], value: float) -> Array:
    """x, with four axes at most, in any order -> y in order: y[first + step·i] = x[i], and value everywhere else"""
    y = empty(x, shape)
    if y.size == 0:
        return y
    start = x[(slice(0, 1),) * x.ndim]  # one number, hence in order; the kernel finds the others
    strides = [stride // x.dtype.itemsize for stride in x.strides]
    *outer, (length, place, apart, x_length, stride) = zip(shape, first, step, x.shape, strides, strict=True)
    vector = 1
    if stride == apart == 1:  # neighbours along the last axis stay neighbours
        vector = vector_of(gcd(length, place, x_length, *strides[:-1]), start, y)
    axes = [(1, 0, 1, 1, 0)] * (4 - x.ndim) + [(*axis[:-1], axis[-1] // vector) for axis in outer]
    axes.append((length // vector, place // vector, apart, x_length // vector, stride))
    count = y.size // vector
    arguments = start, y, float(value), count, *(number for axis in axes for number in axis)
    launch("spread.cu", "spread", x, arguments, grid=blocks_for(count), defines=(f"VECTOR={vector}",))
    return y


def channels_last(x: Array) -> Array:
    """x (N,C,…) -> (N,…,C) with its bytes in that order: a view if they are already, else a copy."""
    return in_order(x.transpose(0, *range(2, x.ndim), 1))


def channels_first(x: Array) -> Array:
    """x (N,…,C) -> (N,C,…), a view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
