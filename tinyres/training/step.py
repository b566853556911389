"""Forward and backward over one batch: the three lines that everything else here is about."""

from __future__ import annotations

from tinyres.autograd import Tensor
from tinyres.nn import Module
from tinyres.nn import functional as F


def backpropagate(model: Module, images: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> tuple[float, Tensor]:
    """Give every parameter its gradient. images (N,C,H,W), labels (N) -> the mean loss, and the scores (N,K)."""
    scores = model(images)
    loss = F.cross_entropy(scores, labels, label_smoothing=label_smoothing)
    loss.backward()
    return loss.item(), scores
