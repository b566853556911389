"""Max pooling: of every window, the largest value."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_pooling, pair


class MaxPool2d(Op):
    r"""y[n,c,p,q] = max over (i, j) of x[n,c, p·s+i−pad, q·s+j−pad]        (x = −∞ outside)

    gx: each gy[n,c,p,q] is added back where the maximum stood; all the other inputs of the window get nothing.

    Saved: where each maximum stood in its window, i·KW + j.
    """

    def __init__(self, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], ceil_mode: bool):
        self.kernel, self.stride, self.padding, self.ceil_mode = kernel, stride, padding, ceil_mode

    def forward(self, x: Array) -> Array:
        y, argmax = kernels_for(x).max_pool2d(x, self.kernel, self.stride, self.padding, self.ceil_mode)
        self.saved = (argmax,)
        return y

    def backward(self, gy: Array) -> Array:
        (argmax,) = self.saved
        shape = self.inputs[0].shape
        return kernels_for(gy).max_pool2d_grad_x(gy, argmax, shape, self.kernel, self.stride, self.padding)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """input (N,C,H,W) -> (N,C,P,Q). stride: the kernel's size if left out. ceil_mode: round how many windows fit up."""
    if pair("max_pool2d", "dilation", dilation, 1) != (1, 1):
        raise NotImplementedError(f"max_pool2d: only dilation=1 is supported, got {dilation}")
    windows = expect_pooling("max_pool2d", input, kernel_size, stride, padding)
    return MaxPool2d(*windows, ceil_mode)(input)
