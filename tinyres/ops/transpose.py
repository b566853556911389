"""The same values with the axes in another order: transpose and permute."""

from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_dim


class Transpose(Op):
    r"""y's axis k is x's axis dims[k].        dims: x's axes in their new order

    gx: the axes put back, by the inverse permutation.
    """

    def __init__(self, dims: tuple[int, ...]):
        self.dims = dims

    def forward(self, x: Array) -> Array:
        return x.transpose(self.dims)

    def backward(self, gy: Array) -> Array:
        inverse = np.argsort(self.dims)
        return gy.transpose(tuple(int(axis) for axis in inverse))


def permute(x: Tensor, *dims: Any) -> Tensor:
    """x with its axes in the order `dims`. `x.permute(0, 2, 3, 1)` makes NCHW NHWC."""
    wanted = tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims
    order = tuple(expect_dim("permute", d, x.ndim) for d in wanted)
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: expected each of the {x.ndim} axes of {x.shape} once, got {wanted}")
    return Transpose(order)(x)


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """x with two axes exchanged."""
    a, b = (expect_dim("transpose", d, x.ndim) for d in (dim0, dim1))
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return Transpose(tuple(order))(x)


Tensor.permute = permute
Tensor.transpose = transpose
