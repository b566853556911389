"""The same values in another shape: reshape, view and flatten."""

from math import prod
from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_dim


class Reshape(Op):
    r"""y has x's values, in x's order (last axis fastest), under another shape.

    gx = gy under x's shape.
    """

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def forward(self, x: Array) -> Array:
        return x.reshape(self.shape)

    def backward(self, gy: Array) -> Array:
        return gy.reshape(self.inputs[0].shape)


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """x under another shape; one length may be −1, and is then computed. `x.reshape(2, -1)` or `x.reshape((2, -1))`"""
    wanted = tuple(map(int, shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape))
    known = prod(length for length in wanted if length != -1)
    open_ = wanted.count(-1)
    fits = x.numel() == known if open_ == 0 else open_ == 1 and known > 0 and x.numel() % known == 0
    if not fits or any(length < -1 for length in wanted):
        raise ValueError(f"reshape: cannot view {x.shape}, {x.numel()} values, as {wanted}")
    return Reshape(wanted)(x)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes start_dim to end_dim as one axis. `flatten(x, 1)` turns (N, C, H, W) into (N, C·H·W)."""
    if x.ndim == 0:
        return reshape(x, 1)
    first, last = (expect_dim("flatten", d, x.ndim) for d in (start_dim, end_dim))
    if first > last:
        raise ValueError(f"flatten: expected start_dim before end_dim, got {start_dim} and {end_dim} for {x.shape}")
    return reshape(x, (*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


Tensor.reshape = reshape
Tensor.view = reshape
Tensor.flatten = flatten
