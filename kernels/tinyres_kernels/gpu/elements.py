"""What kernels share that treat every number alike: where it stands in its array makes no difference to them."""

from __future__ import annotations

from typing import Any

from tinyres_kernels.gpu.launch import blocks_for, channels_first, channels_last, covered, empty, launch

Array = Any


def in_one_order(*arrays: Array) -> bool:
    """Are they of one shape and covered, and the bytes of all in the order of the axes, or of all NHWC?"""
    first = arrays[0]
    return (
        covered(*arrays)
        and all(x.shape == first.shape for x in arrays)
        and (all(x.flags.c_contiguous for x in arrays) or all(is_nhwc(x) for x in arrays))
    )


def is_nhwc(x: Array) -> bool:
    return x.ndim > 2 and x.transpose(0, *range(2, x.ndim), 1).flags.c_contiguous


def each_number(source: str, kernel: str, *arrays: Array) -> Array:
    """kernel(arrays…, y, count), where all arrays are in_one_order; y comes out in that order too."""
    plain = all(x.flags.c_contiguous for x in arrays)
    lying = arrays if plain else tuple(map(channels_last, arrays))
    y = empty(lying[0], lying[0].shape)
    launch(source, kernel, y, (*lying, y, y.size), grid=blocks_for(y.size))
    return y if plain else channels_first(y)
