"""y = a · b, element by element."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.broadcast import as_operands, sum_to


class Multiply(Op):
    r"""y = a · b, with broadcasting.

    ga = gy · b    gb = gy · a

    Each side's gradient carries the other side as a factor, so that is what is saved, where someone asks for it. In a
    chain z₁ = w₁·x, z₂ = w₂·s(z₁), … these factors multiply up, and the product vanishes or explodes.
    """

    def forward(self, a: Array, b: Array) -> Array:
        self.saved = a if self.needs[1] else None, b if self.needs[0] else None
        return a * b

    def backward(self, gy: Array) -> tuple[Array | None, Array | None]:
        a, b = self.saved
        ga = sum_to(gy * b, self.inputs[0]) if self.needs[0] else None
        gb = sum_to(gy * a, self.inputs[1]) if self.needs[1] else None
        return ga, gb


def multiply(a: Any, b: Any) -> Tensor:
    """a · b. Shapes broadcast; either may be a number."""
    return Multiply()(*as_operands("multiply", a, b))


Tensor.__mul__ = multiply
Tensor.__rmul__ = multiply
