"""y = ln x."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Log(Op):
    r"""y = ln x

    gx = gy / x
    """

    def forward(self, x: Array) -> Array:
        self.saved = (x,)
        return np.log(x)

    def backward(self, gy: Array) -> Array:
        (x,) = self.saved
        return gy / x


def log(x: Tensor) -> Tensor:
    """The natural logarithm, element by element."""
    expect_floats("log", x=x)
    return Log()(x)


Tensor.log = log
