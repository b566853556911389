"""The logarithm of softmax, without computing softmax first."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats, expect_scores


class LogSoftmax(Op):
    r"""y_k = x_k − ln Σ_j e^{x_j}        along axis `dim`

    gx_k = gy_k − e^{y_k} · Σ_j gy_j        (e^{y_k} is softmax's probability)
    """

    def __init__(self, dim: int):
        self.dim = dim

    def forward(self, x: Array) -> Array:
        shifted = x - x.max(self.dim, keepdims=True)  # the largest becomes 0: no overflow, and no log of 0
        y = shifted - np.log(np.exp(shifted).sum(self.dim, keepdims=True))
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return gy - np.exp(y) * gy.sum(self.dim, keepdims=True)


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """ln(softmax(input)) along axis `dim`, exact also where the probability underflows."""
    expect_floats("log_softmax", input=input)
    return LogSoftmax(expect_scores("log_softmax", input, dim))(input)
