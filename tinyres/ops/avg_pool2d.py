"""Average pooling: of every window, the mean."""

from typing import Any

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_pooling


class AvgPool2d(Op):
    r"""y[n,c,p,q] = (1/M) · Σ_{i,j} x[n,c, p·s+i−pad, q·s+j−pad]        (x = 0 outside)

    gx: each gy[n,c,p,q] / M is added back to every input of its window.

    M is the window's size, KH·KW. At the border it counts the padding too, or with count_include_pad=False only
    what lies inside x; a ceil_mode window never counts what hangs over the padding.
    """

    def __init__(
        self,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        ceil_mode: bool,
        count_include_pad: bool,
    ):
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Array) -> Array:
        return kernels_for(x).avg_pool2d(
            x, self.kernel, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def backward(self, gy: Array) -> Array:
        shape = self.inputs[0].shape
        return kernels_for(gy).avg_pool2d_grad_x(
            gy, shape, self.kernel, self.stride, self.padding, self.count_include_pad
        )


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """input (N,C,H,W) -> (N,C,P,Q). stride: the kernel's size if left out. ceil_mode: round how many windows fit up."""
    windows = expect_pooling("avg_pool2d", input, kernel_size, stride, padding)
    return AvgPool2d(*windows, ceil_mode, count_include_pad)(input)
