"""A fully connected layer: every output a weighted sum of all inputs."""

from __future__ import annotations

from math import prod

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.checks import expect_floats


class Linear(Op):
    r"""y[n,o] = Σ_i x[n,i] · w[o,i] + b[o]        x (…,I)  w (O,I)  b (O)  y (…,O)

    gx = gy @ w        gw = gyᵀ @ x        gb[o] = Σ_n gy[n,o]

    As a matrix product, y = x @ wᵀ; n runs over all leading axes. torch stores w as (O, I), hence the transpose.
    """

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        self.saved = x, w
        y = x @ w.T
        return y if b is None else y + b

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        x, w = self.saved
        gx = gy @ w if self.needs[0] else None
        N = prod(x.shape[:-1])  # not −1, which is anything if there are no features
        gy = gy.reshape(N, len(w))  # (N, O)
        gw = gy.T @ x.reshape(N, w.shape[1]) if self.needs[1] else None
        if len(self.inputs) == 2:
            return gx, gw
        return gx, gw, gy.sum(0) if self.needs[2] else None


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
