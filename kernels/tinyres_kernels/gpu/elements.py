"""What kernels share that treat every number alike, wherever it is in its array."""

from __future__ import annotations

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import blocks_for, covered, empty, launch, vector_of


def in_one_order(*arrays: Array) -> bool:
    """Are these arrays covered, of one shape, and are their bytes in one order, whichever it is?"""
    axes = order_of(arrays[0])
    same = all(x.shape == arrays[0].shape and x.transpose(axes).flags.c_contiguous for x in arrays)
    return covered(*arrays) and same


def order_of(x: Array) -> tuple[int, ...]:
    """x's axes, first the one whose neighbours lie farthest apart."""
    return tuple(sorted(range(x.ndim), key=lambda axis: -x.strides[axis]))


def each_number(source: str, kernel: str, *arrays: Array) -> Array:
    """kernel(arrays…, y, vectors), for arrays that are in_one_order; y is in that order too."""
    axes = order_of(arrays[0])
    rows = [x.transpose(axes) for x in arrays]
    y = empty(rows[0], rows[0].shape)
    vector = vector_of(y.size, *rows, y)
    count = y.size // vector
    launch(source, kernel, y, (*rows, y, count), grid=blocks_for(count), defines=(f"VECTOR={vector}",))
    return y.transpose([axes.index(axis) for axis in range(y.ndim)])
