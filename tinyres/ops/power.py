"""y = xᵖ for a fixed number p."""

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Power(Op):
    r"""y = xᵖ

    gx = gy · p · xᵖ⁻¹      (p = 0: y is constant, gx = 0, also at x = 0)
    """

    def __init__(self, exponent: float):
        self.exponent = exponent

    def forward(self, x: Array) -> Array:
        self.saved = (x,)
        return x**self.exponent

    def backward(self, gy: Array) -> Array:
        (x,) = self.saved
        p = self.exponent
        return gy * p * x ** (p - 1) if p != 0 else gy * 0


def power(x: Tensor, exponent: float) -> Tensor:
    """xᵖ, element by element; the exponent is a number."""
    expect_floats("power", x=x)
    if not isinstance(exponent, (int, float)):
        raise TypeError(f"power: expected a number as exponent, got {type(exponent).__name__}")
    return Power(float(exponent))(x)


Tensor.__pow__ = power
