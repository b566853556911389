"""A fully connected layer: every output a weighted sum of all inputs."""

from math import prod

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_floats


class Linear(Op):
    r"""y[n,o] = Σ_i x[n,i] · w[o,i] + b[o]        x (…,I)  w (O,I)  b (O)  y (…,O)

    gx = gy @ w        gw = gyᵀ @ x        gb[o] = Σ_n gy[n,o]

    As a matrix product, y = x @ wᵀ; n runs over all leading axes. torch stores w as (O, I), hence the transpose.
    """

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        rows = x.reshape(prod(x.shape[:-1]), w.shape[1])  # (N, I); not −1, which would be undefined for 0 features
        self.saved = rows, w
        y = kernels_for(x).linear(rows, w, b)
        return y.reshape(*x.shape[:-1], len(w))

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        x, w = self.saved
        kernels = kernels_for(gy)
        gy = gy.reshape(len(x), len(w))  # (N, O)
        gx = kernels.linear_grad_x(gy, w).reshape(self.inputs[0].shape) if self.needs[0] else None
        gw = kernels.linear_grad_w(gy, x) if self.needs[1] else None
        if len(self.inputs) == 2:
            return gx, gw
        return gx, gw, kernels.linear_grad_b(gy) if self.needs[2] else None


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input (…, I), weight (O, I), bias (O) -> (…, O)"""
    expect_floats("linear", input=input, weight=weight, bias=bias)
    if weight.ndim != 2:
        raise ValueError(f"linear: expected weight (O, I), got {weight.shape}")
    if input.ndim == 0 or input.shape[-1] != weight.shape[1]:
        hint = "; flatten first" if input.ndim > 2 else ""
        raise ValueError(f"linear: expected input (N, {weight.shape[1]}), got {input.shape}{hint}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"linear: expected bias {weight.shape[:1]}, got {bias.shape}")
    inputs = (input, weight) if bias is None else (input, weight, bias)
    return Linear()(*inputs)
