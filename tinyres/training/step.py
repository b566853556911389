"""One step of training: the five lines that everything else here is about."""

from __future__ import annotations

from collections.abc import Callable

from tinyres.autograd import Tensor
from tinyres.nn import Module
from tinyres.nn import functional as F
from tinyres.optim import Optimizer


def train_step(
    model: Module,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    label_smoothing: float = 0.0,
    check: Callable[[float], None] = lambda loss: None,
) -> tuple[float, Tensor]:
    """Learn from one batch: images (N,C,H,W), labels (N). Returns the loss before the step, and the scores (N,K).

    check: called with the loss before anything is changed; it may raise.
    """
    scores = model(images)
    loss = F.cross_entropy(scores, labels, label_smoothing=label_smoothing)
    check(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), scores
