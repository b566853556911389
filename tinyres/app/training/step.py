"""One step of training: the few lines that everything else here is about."""

from __future__ import annotations

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import Module
from tinyres.nn import functional as F
from tinyres.optim import Optimizer


def backpropagate(
    model: Module, images: Tensor, labels: Tensor, label_smoothing: float = 0.0, share: float = 1.0
) -> tuple[float, Tensor]:
    """Give every parameter its gradient. images (N,C,H,W), labels (N) -> the mean loss, and the scores (N,K).

    share: of a batch these images are so much, others being elsewhere: the gradients add up to those of the whole one
    """
    scores = model(images)
    loss = F.cross_entropy(scores, labels, label_smoothing=label_smoothing)
    loss.backward(np.asarray(share))
    return loss.item(), scores


def train_step(model: Module, optimizer: Optimizer, images: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Learn from one batch, as above; returns the loss and the scores before the step."""
    optimizer.zero_grad()
    loss, scores = backpropagate(model, images, labels)
    optimizer.step()
    return loss, scores
