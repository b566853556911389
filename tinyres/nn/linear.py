"""The fully connected layer."""

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn import init
from tinyres.nn.module import Module, Parameter


class Linear(Module):
    """y = x @ weightᵀ + bias. x (…, in_features) -> (…, out_features)"""

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.bias = Parameter(np.empty(out_features, np.float32)) if bias else None
        init.torch_default_(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}{'' if self.bias is not None else ', bias=False'}"
