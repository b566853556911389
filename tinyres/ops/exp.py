"""y = eˣ."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Exp(Op):
    r"""y = eˣ

    gx = gy · eˣ = gy · y
    """

    def forward(self, x: Array) -> Array:
        y = np.exp(x)
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return gy * y


def exp(x: Tensor) -> Tensor:
    """eˣ, element by element."""
    expect_floats("exp", x=x)
    return Exp()(x)


Tensor.exp = exp
