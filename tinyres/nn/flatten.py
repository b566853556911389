"""Flattening as a layer."""

from tinyres.autograd import Tensor
from tinyres.nn.module import Module
from tinyres.ops.reshape import flatten


class Flatten(Module):
    """(N, C, H, W) -> (N, C·H·W)"""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return flatten(x, self.start_dim, self.end_dim)
