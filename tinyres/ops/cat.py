"""y = several tensors, one behind the other along an axis: what DenseNet does instead of adding."""

from collections.abc import Sequence

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_dim, expect_floats


class Cat(Op):
    r"""y = x₀, x₁, … one behind the other along axis `dim`

    gxₖ = the part of gy that came from xₖ.
    """

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, *xs: Array) -> Array:
        self.saved = tuple(x.shape[self.dim] for x in xs)
        return np.concatenate(xs, axis=self.dim)

    def backward(self, gy: Array) -> tuple[Array, ...]:
        ends = np.cumsum(self.saved)[:-1].tolist()
        return tuple(np.split(gy, ends, axis=self.dim))


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors joined along axis `dim`; their other axes must agree."""
    if len(tensors) == 0:
        raise ValueError("cat: expected at least one tensor, got none")
    expect_floats("cat", **{f"tensors[{k}]": x for k, x in enumerate(tensors)})
    first = tensors[0]
    dim = expect_dim("cat", dim, first.ndim)
    for x in tensors:
        if x.shape[:dim] + x.shape[dim + 1 :] != first.shape[:dim] + first.shape[dim + 1 :] or x.ndim != first.ndim:
            shapes = ", ".join(str(x.shape) for x in tensors)
            raise ValueError(f"cat: shapes may differ in axis {dim} only, got {shapes}")
    return Cat(dim)(*tensors)
