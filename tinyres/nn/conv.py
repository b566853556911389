"""The convolution layer."""

from typing import Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn import init
from tinyres.nn.module import Module, Parameter
from tinyres.ops.checks import expect_dense, pair


class Conv2d(Module):
    """A convolution. x (N, in_channels, H, W) -> (N, out_channels, P, Q); sizes: an int, or (rows, columns)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
    ):
        super().__init__()
        expect_dense("Conv2d", dilation, groups)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.padding = pair("Conv2d", "padding", padding, 0)
        self.weight = Parameter(np.empty((out_channels, in_channels, *self.kernel_size), np.float32))
        self.bias = Parameter(np.empty(out_channels, np.float32)) if bias else None
        init.torch_default_(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def extra_repr(self) -> str:
        sizes = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        return f"{self.in_channels}, {self.out_channels}, {sizes}{'' if self.bias is not None else ', bias=False'}"
