"""Softmax: scores made into probabilities."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats, expect_scores


class Softmax(Op):
    r"""y_k = e^{x_k} / Σ_j e^{x_j}        along axis `dim`

    gx_k = y_k · (gy_k − Σ_j gy_j·y_j)

    Every score moves every probability, ∂y_j/∂x_k = y_j·(δ_jk − y_k): the sum collects what comes through the others.
    """

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Array) -> Array:
        e = np.exp(x - x.max(self.dim, keepdims=True))  # shifting all scores changes nothing; e^x stays finite
        y = e / e.sum(self.dim, keepdims=True)
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return y * (gy - (gy * y).sum(self.dim, keepdims=True))


def softmax(input: Tensor, dim: int) -> Tensor:
    """Probabilities along axis `dim`: positive, summing to 1."""
    expect_floats("softmax", input=input)
    return Softmax(expect_scores("softmax", input, dim))(input)
