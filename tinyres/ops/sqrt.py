"""y = √x."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Sqrt(Op):
    r"""y = √x

    gx = gy / (2·√x) = gy / (2·y)      (infinite at x = 0)
    """

    def forward(self, x: Array) -> Array:
        y = np.sqrt(x)
        self.saved = (y,)
        return y

    def backward(self, gy: Array) -> Array:
        (y,) = self.saved
        return gy / (2 * y)


def sqrt(x: Tensor) -> Tensor:
    """√x, element by element."""
    expect_floats("sqrt", x=x)
    return Sqrt()(x)


Tensor.sqrt = sqrt
