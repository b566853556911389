"""y = Σ x, over all axes or some."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_dim, expect_floats


class Sum(Op):
    r"""y = Σ x over the given axes        dims: a tuple of axes, each 0 or more

    gx = gy, repeated along the axes that were summed: every x counts once, whatever its value.
    """

    def __init__(self, dims: tuple[int, ...], keepdim: bool):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x: Array) -> Array:
        return x.sum(self.dims, keepdims=self.keepdim)

    def backward(self, gy: Array) -> Array:
        return repeat_along(gy, self.dims, self.inputs[0].shape)


def repeat_along(gy: Array, dims: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """gy, whose axes `dims` were summed away (or kept with length 1), stretched to `shape` again."""
    kept = [1 if axis in dims else length for axis, length in enumerate(shape)]
    return np.broadcast_to(gy.reshape(kept), shape)


def as_dims(op: str, dim: int | Sequence[int] | None, x: Tensor) -> tuple[int, ...]:
    """torch's `dim` (None: all axes; an int; several) as a tuple of axes counted from the front."""
    if dim is None:
        return tuple(range(x.ndim))
    several = (dim,) if isinstance(dim, int) else tuple(dim)
    return tuple(expect_dim(op, d, x.ndim) for d in several)


def sum(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The sum over the axes `dim` (None: all). keepdim: leave the summed axes there with length 1."""
    expect_floats("sum", x=x)
    return Sum(as_dims("sum", dim, x), keepdim)(x)


Tensor.sum = sum
