"""Cross-entropy: the loss of a classifier, small where the right class has a high probability."""

from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import kernels_for
from tinyres.ops.checks import expect_floats


class CrossEntropy(Op):
    r"""y[n] = −Σ_k t[n,k] · ln softmax(x[n])_k        x (N,K) scores  y (N) losses

    gx[n,k] = gy[n] · (softmax(x[n])_k − t[n,k])

    The gradient is simply the predicted probability minus the right one. t is 1 at the label and 0 elsewhere; label
    smoothing ε spreads a part of it evenly, t = (1 − ε)·[k = label] + ε/K (Szegedy et al. 2016, eq. 13).
    """

    def __init__(self, labels: Array, label_smoothing: float):
        self.labels, self.label_smoothing = labels, label_smoothing

    def forward(self, x: Array) -> Array:
        y, p = kernels_for(x).cross_entropy(x, self.labels, self.label_smoothing)
        self.saved = (p,)
        return y

    def backward(self, gy: Array) -> Array:
        (p,) = self.saved
        return kernels_for(gy).cross_entropy_grad_x(gy, p, self.labels, self.label_smoothing)


def cross_entropy(input: Tensor, target: Any, *, reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:
    """input (N, K) scores, target (N) integer labels -> the mean loss; its sum; or with reduction="none" (N) losses."""
    expect_floats("cross_entropy", input=input)
    labels = target.data if isinstance(target, Tensor) else np.asarray(target)
    if input.ndim != 2 or labels.shape != input.shape[:1]:
        raise ValueError(f"cross_entropy: expected scores (N, K) and labels (N), got {input.shape} and {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: expected integer labels, got {labels.dtype}")
    if len(labels) == 0:
        raise ValueError("cross_entropy: expected at least one row of scores, got an empty batch")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= input.shape[1]:
        raise ValueError(f"cross_entropy: labels must lie in 0 to {input.shape[1] - 1}, got {low} to {high}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: expected label_smoothing from 0 to 1, got {label_smoothing}")
    return reduced("cross_entropy", CrossEntropy(labels, label_smoothing)(input), reduction)


def reduced(op: str, losses: Tensor, reduction: str) -> Tensor:
    """torch's `reduction`: "mean", "sum", or "none"."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{op}: expected reduction 'mean', 'sum' or 'none', got {reduction!r}")
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()
