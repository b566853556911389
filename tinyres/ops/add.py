"""y = a + b: where the two paths of a residual block meet."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.broadcast import as_operands, sum_to


class Add(Op):
    r"""y = a + b, with broadcasting.

    ga = gy    gb = gy

    An addition passes the gradient on unchanged, to both sides. In a residual block y = F(x) + x this is the whole
    story: gx = gy · ∂F/∂x + gy, so however small ∂F/∂x is, gy itself arrives (He et al. 2016b, eq. 5).
    """

    def forward(self, a: Array, b: Array) -> Array:
        return kernels_for(a).add(a, b)

    def backward(self, gy: Array) -> tuple[Array | None, Array | None]:
        ga = sum_to(gy, self.inputs[0]) if self.needs[0] else None
        gb = sum_to(gy, self.inputs[1]) if self.needs[1] else None
        return ga, gb


def add(a: Any, b: Any) -> Tensor:
    """a + b. Shapes broadcast; either may be a number."""
    return Add()(*as_operands("add", a, b))


Tensor.__add__ = add
Tensor.__radd__ = add
