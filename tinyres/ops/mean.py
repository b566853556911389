"""The mean of x, over all axes or some."""

from math import prod
from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import as_dims, expect_floats


class Mean(Op):
    r"""y = (1/M) · Σ x over the given axes, M values to each mean

    gx = gy / M, repeated along the axes that were averaged.
    """

    def __init__(self, dims: tuple[int, ...], keepdim: bool):
        self.dims, self.keepdim = dims, keepdim

    def forward(self, x: Array) -> Array:
        return x.mean(self.dims, keepdims=self.keepdim)

    def backward(self, gy: Array) -> Array:
        shape = self.inputs[0].shape
        count = prod(shape[axis] for axis in self.dims)
        return repeat_along(gy / count, self.dims, shape)


def repeat_along(gy: Array, dims: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """gy, whose axes `dims` were summed away (or kept with length 1), stretched to `shape` again."""
    kept = [1 if axis in dims else length for axis, length in enumerate(shape)]
    return np.broadcast_to(gy.reshape(kept), shape)


def mean(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean over the axes `dim` (None: all). keepdim: leave the averaged axes there with length 1."""
    expect_floats("mean", x=x)
    dims = as_dims("mean", dim, x)
    if prod(x.shape[axis] for axis in dims) == 0:
        raise ValueError(f"mean: nothing to average over axes {dims} of shape {x.shape}")
    return Mean(dims, keepdim)(x)


Tensor.mean = mean
