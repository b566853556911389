"""Nearest-neighbour upsampling: every value repeated over a block, as feature pyramids do."""

from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats, expect_images


class Interpolate(Op):
    r"""y[n,c,p,q] = x[n,c, ⌊p·H/P⌋, ⌊q·W/Q⌋]        x (N,C,H,W)  y (N,C,P,Q)

    Rows and columns separate: with A (P,H) holding a single 1 in row p, at the place that p reads, and B (Q,W)
    the same for the columns,

        y = A x Bᵀ        gx = Aᵀ gy B        so gx sums gy over the block that repeats each x.
    """

    def __init__(self, size: tuple[int, int]):
        self.size = size

    def forward(self, x: Array) -> Array:
        rows, columns = (np.arange(self.size[k]) * x.shape[2 + k] // self.size[k] for k in (0, 1))
        self.saved = rows, columns
        return x[:, :, rows][:, :, :, columns]

    def backward(self, gy: Array) -> Array:
        H, W = self.inputs[0].shape[2:]
        A, B = (np.zeros_like(gy, shape=(self.size[k], (H, W)[k])) for k in (0, 1))
        for selection, read in zip((A, B), self.saved, strict=True):
            selection[np.arange(len(read)), read] = 1
        return A.T @ gy @ B


def interpolate(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest") -> Tensor:
    """input (N,C,H,W) -> (N,C,P,Q): `size` (P, Q), or H and W times `scale_factor`, a whole number."""
    expect_floats("interpolate", input=input)
    expect_images("interpolate", input)
    if mode != "nearest":
        raise NotImplementedError(f"interpolate: only mode='nearest' is supported, got {mode!r}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    wanted = scale_factor if size is None else size
    if not isinstance(wanted, (tuple, list)):
        wanted = wanted, wanted
    if len(wanted) != 2 or any(v < 1 or v != int(v) for v in wanted):
        raise ValueError(f"interpolate: expected a whole number of 1 or more, or a pair of them, got {wanted}")
    P, Q = (int(v) * (input.shape[2 + k] if size is None else 1) for k, v in enumerate(wanted))
    return Interpolate((P, Q))(input)
