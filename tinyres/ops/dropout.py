"""Dropout: in training, switch each value off with probability p."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats
from tinyres.random import next_uniform


class Dropout(Op):
    r"""y = x · mask / (1 − p)        mask: 1 with probability 1 − p, else 0 (Srivastava et al. 2014)

    gx = gy · mask / (1 − p)

    The division keeps the expected value of y at x, so that evaluation needs no dropout and no correction.
    """

    def __init__(self, p: float):
        self.p = p

    def forward(self, x: Array) -> Array:
        kept = next_uniform("dropout", x.shape) >= self.p
        scale = np.asarray(kept / max(1 - self.p, 1e-30), dtype=x.dtype, like=x)
        self.saved = (scale,)
        return x * scale

    def backward(self, gy: Array) -> Array:
        (scale,) = self.saved
        return gy * scale


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each value with probability p and scale the rest by 1/(1 − p); input itself if not training."""
    expect_floats("dropout", input=input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability p from 0 to 1, got {p}")
    return Dropout(p)(input) if training and p > 0 else input
