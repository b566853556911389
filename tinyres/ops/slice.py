"""y = x[index]: some of the values of x."""

import builtins
from types import EllipsisType, NoneType
from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for

ONCE = (int, builtins.slice, EllipsisType, NoneType)  # indices that read no place twice


class Slice(Op):
    r"""y = x[index]        index: anything NumPy takes: ints, slices, integer arrays, a boolean mask

    gx is 0, plus gy at the places that were read. It must be added and not written where integer arrays are among the
    indices: they may read one place twice, and then both gradients count.
    """

    def __init__(self, index: tuple[Any, ...]):
        self.index = index

    def forward(self, x: Array) -> Array:
        self.saved = (x,)
        return x[self.index]

    def backward(self, gy: Array) -> Array:
        (x,) = self.saved
        ranges = as_ranges(self.index, x.shape)
        if ranges is not None:
            first, step = tuple(r.start for r in ranges), tuple(r.step for r in ranges)
            return kernels_for(gy).spread(gy, x.shape, first, step, 0.0)
        gx = np.zeros_like(x)
        if all(isinstance(part, ONCE) for part in self.index):
            gx[self.index] = gy
        else:
            np.add.at(gx, self.index, gy)  # 18 times slower
        return gx


def as_ranges(index: tuple[Any, ...], shape: tuple[int, ...]) -> list[range] | None:
    """The places read along every axis, if index has only slices and all go forwards; else None."""
    if not all(isinstance(part, builtins.slice) and (part.step or 1) > 0 for part in index):
        return None
    every_axis = (*index, *[builtins.slice(None)] * (len(shape) - len(index)))
    return [range(length)[part] for length, part in zip(shape, every_axis, strict=True)]


def slice(x: Tensor, index: Any) -> Tensor:
    """x[index]"""
    several = index if isinstance(index, tuple) else (index,)
    arrays = tuple(part.data if isinstance(part, Tensor) else part for part in several)
    return Slice(arrays)(x)


Tensor.__getitem__ = slice
