"""y = a − b."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.broadcast import as_operands, sum_to


class Subtract(Op):
    r"""y = a − b, with broadcasting.

    ga = gy    gb = −gy
    """

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def backward(self, gy: Array) -> tuple[Array | None, Array | None]:
        ga = sum_to(gy, self.inputs[0]) if self.needs[0] else None
        gb = sum_to(-gy, self.inputs[1]) if self.needs[1] else None
        return ga, gb


def subtract(a: Any, b: Any) -> Tensor:
    """a − b. Shapes broadcast; either may be a number."""
    return Subtract()(*as_operands("subtract", a, b))


def _rsubtract(b: Tensor, a: Any) -> Tensor:
    return subtract(a, b)


def negate(x: Tensor) -> Tensor:
    """−x"""
    return subtract(0, x)


Tensor.__sub__ = subtract
Tensor.__rsub__ = _rsubtract
Tensor.__neg__ = negate
