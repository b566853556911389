"""y = Σ x, over all axes or some."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import as_dims, expect_floats
from tinyres.ops.mean import repeat_along


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


def sum(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The sum over the axes `dim` (None: all). keepdim: leave the summed axes there with length 1."""
    expect_floats("sum", x=x)
    return Sum(as_dims("sum", dim, x), keepdim)(x)


Tensor.sum = sum
