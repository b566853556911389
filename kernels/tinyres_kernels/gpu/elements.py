"""What kernels share that treat every number alike, wherever it is in its array."""

from __future__ import annotations

from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, launch, vector_of


def in_one_order(*arrays: Array) -> bool:
    """Are these arrays covered, of one shape, and all in their axes' order or all NHWC?"""
    first = arrays[0]
    return (
        covered(*arrays)
        and all(x.shape == first.shape for x in arrays)
        and (all(x.flags.c_contiguous for x in arrays) or all(is_nhwc(x) for x in arrays))
    )


def is_nhwc(x: Array) -> bool:
    return x.ndim > 2 and x.transpose(0, *range(2, x.ndim), 1).flags.c_contiguous


def each_number(source: str, kernel: str, *arrays: Array) -> Array:
    """kernel(arrays…, y, vectors), for arrays that are in_one_order; y is in that order too."""
    plain = all(x.flags.c_contiguous for x in arrays)
    rows = arrays if plain else tuple(map(channels_last, arrays))
    y = empty(rows[0], rows[0].shape)
    vector = vector_of(y.size, *rows, y)
    count = y.size // vector
    launch(source, kernel, y, (*rows, y, count), grid=blocks_for(count), defines=(f"VECTOR={vector}",))
    return y if plain else channels_first(y)
