"""Losses as layers."""

from typing import Any

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.module import Module


class CrossEntropyLoss(Module):
    """Softmax and cross-entropy in one. Scores (N, K), integer labels (N) -> the mean loss"""

    def __init__(self, *, reduction: str = "mean", label_smoothing: float = 0.0):
        super().__init__()
        self.reduction, self.label_smoothing = reduction, label_smoothing

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return F.cross_entropy(x, target, reduction=self.reduction, label_smoothing=self.label_smoothing)


class MSELoss(Module):
    """The mean of (x − target)²"""

    def __init__(self, *, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(x, target, reduction=self.reduction)
