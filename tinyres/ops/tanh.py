"""y = tanh(x), between −1 and 1."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Tanh(Op):
    r"""y = tanh(x), between −1 and 1

    gx = gy · (1 − y²)
    """

    def forward(self, x: Array) -> Array:
        y = np.tanh(x)
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return gy * (1 - y * y)


def tanh(input: Tensor) -> Tensor:
    """tanh(input), element by element."""
    expect_floats("tanh", input=input)
    return Tanh()(input)


Tensor.tanh = tanh
