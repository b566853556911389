"""y = a / b, element by element."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.broadcast import as_operands, sum_to


class Divide(Op):
    r"""y = a / b, with broadcasting.

    ga = gy / b    gb = −gy · a / b² = −gy · y / b
    """

    def forward(self, a: Array, b: Array) -> Array:
        self.saved = a, b
        return a / b

    def backward(self, gy: Array) -> tuple[Array | None, Array | None]:
        a, b = self.saved
        ga = sum_to(gy / b, self.inputs[0]) if self.needs[0] else None
        gb = sum_to(-gy * a / (b * b), self.inputs[1]) if self.needs[1] else None
        return ga, gb


def divide(a: Any, b: Any) -> Tensor:
    """a / b. Shapes broadcast; either may be a number. Integers are divided in float32, as in torch."""
    a, b = as_operands("divide", a, b)
    if a.dtype.kind in "iub":  # then b is an integer too: beside a float, as_operands makes both floats
        a, b = a.to("float32"), b.to("float32")
    return Divide()(a, b)


def _rdivide(b: Tensor, a: Any) -> Tensor:
    return divide(a, b)


Tensor.__truediv__ = divide
Tensor.__rtruediv__ = _rdivide
