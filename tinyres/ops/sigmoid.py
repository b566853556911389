"""y = 1 / (1 + e⁻ˣ): the activation whose gradient vanishes."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Sigmoid(Op):
    r"""y = s(x) = 1 / (1 + e⁻ˣ), between 0 and 1

    gx = gy · s'(x) = gy · y·(1 − y)

    s' is at most 1/4 (at x = 0), so every sigmoid on the way back shrinks the gradient to a quarter or less.
    """

    def forward(self, x: Array) -> Array:
        # tanh(x/2) = 2·s(x) − 1 and never overflows, as e⁻ˣ does at x = −89 in float32.
        y = (np.tanh(x * 0.5) + 1) * 0.5
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return gy * y * (1 - y)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ), element by element."""
    expect_floats("sigmoid", input=input)
    return Sigmoid()(input)


Tensor.sigmoid = sigmoid
