"""Dropout as a layer."""

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.module import Module


class Dropout(Module):
    """In training, zero each value with probability p and scale the rest by 1/(1 − p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
