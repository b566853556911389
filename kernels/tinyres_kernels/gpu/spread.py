"""An array placed in a larger one on a GPU: the launch of spread.cu."""

from __future__ import annotations

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import covered, set_in


def spread(x: Array, shape: tuple[int, ...], first: tuple[int, ...], step: tuple[int, ...], value: float) -> Array:
    if not covered(x) or not 1 <= x.ndim <= 4:
        return array.spread(x, shape, first, step, value)
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    shape, first, step = (tuple(values[axis] for axis in order) for values in (shape, first, step))
    y = set_in(x.transpose(order), shape, first, step, value)
    return y.transpose(sorted(range(x.ndim), key=order.__getitem__))
