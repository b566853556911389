"""y = the mean of x, over all axes or some."""

from math import prod
from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats
from tinyres.ops.sum import as_dims, repeat_along


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


def mean(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean over the axes `dim` (None: all). keepdim: leave the averaged axes there with length 1."""
    expect_floats("mean", x=x)
    dims = as_dims("mean", dim, x)
    if prod(x.shape[axis] for axis in dims) == 0:
        raise ValueError(f"mean: nothing to average over axes {dims} of shape {x.shape}")
    return Mean(dims, keepdim)(x)


Tensor.mean = mean
