"""Convolution: every output value a weighted sum of a small window of the input."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_dense, expect_floats, expect_images, pair


class Conv2d(Op):
    r"""y[n,o,p,q] = Σ_{c,i,j} x[n,c, p·s+i−pad, q·s+j−pad] · w[o,c,i,j] + b[o]        (x = 0 outside)

    x (N,C,H,W)  w (O,C,KH,KW)  b (O)  y (N,O,P,Q)        P = ⌊(H + 2·pad − KH)/s⌋ + 1, Q likewise

    gw[o,c,i,j] = Σ_{n,p,q} gy[n,o,p,q] · x[n,c, p·s+i−pad, q·s+j−pad]
    gx: each gy[n,o,p,q] · w[o,c,i,j] is added back where its x was read.
    gb[o] = Σ_{n,p,q} gy[n,o,p,q]

    (Strictly a cross-correlation: the kernel is not turned around. Every framework calls it convolution.)
    """

    def __init__(self, stride: tuple[int, int], padding: tuple[int, int]):
        self.stride, self.padding = stride, padding

    def forward(self, x: Array, w: Array, b: Array | None = None) -> Array:
        self.saved = x, w
        y = kernels_for(x).conv2d(x, w, self.stride, self.padding)
        if b is not None:
            y += b[:, None, None]  # (O, 1, 1); y is new, so writing into it is safe
        return y

    def backward(self, gy: Array) -> tuple[Array | None, ...]:
        x, w = self.saved
        kernels = kernels_for(gy)
        gx = kernels.conv2d_grad_x(gy, w, x.shape, self.stride, self.padding) if self.needs[0] else None
        gw = kernels.conv2d_grad_w(gy, x, w.shape, self.stride, self.padding) if self.needs[1] else None
        if len(self.inputs) == 2:
            return gx, gw
        return gx, gw, gy.sum((0, 2, 3)) if self.needs[2] else None


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """input (N,C,H,W), weight (O,C,KH,KW), bias (O) -> (N,O,P,Q). stride and padding: an int, or (rows, columns)."""
    expect_floats("conv2d", input=input, weight=weight, bias=bias)
    expect_images("conv2d", input)
    expect_dense("conv2d", dilation, groups)
    stride, padding = pair("conv2d", "stride", stride, 1), pair("conv2d", "padding", padding, 0)
    if weight.ndim != 4:
        raise ValueError(f"conv2d: expected weight (O, C, KH, KW), got {weight.shape}")
    if weight.shape[1] != input.shape[1]:
        raise ValueError(
            f"conv2d: expected input (N, {weight.shape[1]}, H, W) for weight {weight.shape}, got {input.shape}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"conv2d: expected bias {weight.shape[:1]}, got {bias.shape}")
    if any(input.shape[2 + k] + 2 * padding[k] < weight.shape[2 + k] for k in (0, 1)):
        raise ValueError(
            f"conv2d: a kernel of {weight.shape[2:]} does not fit into {input.shape} with padding {padding}"
        )
    inputs = (input, weight) if bias is None else (input, weight, bias)
    return Conv2d(stride, padding)(*inputs)
