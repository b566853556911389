"""y = a @ b."""

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.broadcast import sum_to
from tinyres.ops.checks import expect_floats


class Matmul(Op):
    r"""y[…,i,j] = Σ_k a[…,i,k] · b[…,k,j]        a (…,I,K)  b (…,K,J)  y (…,I,J); leading axes broadcast

    ga[…,i,k] = Σ_j gy[…,i,j] · b[…,k,j] = gy @ bᵀ
    gb[…,k,j] = Σ_i a[…,i,k] · gy[…,i,j] = aᵀ @ gy

    The shapes leave no choice: gy (I,J) and b (K,J) make a's shape (I,K) in one way only.
    """

    def forward(self, a: Array, b: Array) -> Array:
        self.saved = a, b
        return a @ b

    def backward(self, gy: Array) -> tuple[Array | None, Array | None]:
        a, b = self.saved
        ga = sum_to(gy @ b.swapaxes(-1, -2), self.inputs[0]) if self.needs[0] else None
        gb = sum_to(a.swapaxes(-1, -2) @ gy, self.inputs[1]) if self.needs[1] else None
        return ga, gb


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The matrix product of a (…,I,K) and b (…,K,J). A vector must be made a matrix first."""
    expect_floats("matmul", a=a, b=b)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: expected (…, I, K) @ (…, K, J), got {a.shape} @ {b.shape}")
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"matmul: the leading axes of {a.shape} and {b.shape} do not broadcast together") from None
    return Matmul()(a, b)


Tensor.__matmul__ = matmul
