"""Layers without an op of their own."""

from __future__ import annotations

from typing import Any

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.module import Module
from tinyres.ops.reshape import flatten


class Flatten(Module):
    """(N, C, H, W) -> (N, C·H·W)"""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return flatten(x, self.start_dim, self.end_dim)


class Dropout(Module):
    """In training, zero each value with probability p and scale the rest by 1/(1 − p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Identity(Module):
    """x itself. Takes and ignores any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x
