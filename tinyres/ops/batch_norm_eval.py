"""Batch normalisation once training is over: with the statistics gathered on the way."""

from __future__ import annotations

import numpy as np

from tinyres.autograd import Array, Op
from tinyres.ops.batch_norm import as_column


class BatchNormEval(Op):
    r"""y = gamma·x̂ + beta        x̂ = (x − mean)·r,  r = 1/√(var + eps), mean and var (C) given

    gx = gy·gamma·r        ggamma = Σ gy·x̂        gbeta = Σ gy

    mean and var no longer depend on x: what is left is one multiplication and one addition for each channel.
    """

    def __init__(self, mean: Array, var: Array, eps: float):
        self.mean, self.var, self.eps = mean, var, eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        r = 1 / np.sqrt(self.var + self.eps)
        self.saved = x, r, gamma
        scale = gamma * r
        y = x * as_column(scale, x)
        y += as_column(beta - self.mean * scale, x)
        return y

    def backward(self, gy: Array) -> tuple[Array | None, Array | None, Array | None]:
        x, r, gamma = self.saved
        over_batch = (0, *range(2, gy.ndim))
        gx = gy * as_column(gamma * r, gy) if self.needs[0] else None
        ggamma = (gy * (x - as_column(self.mean, x))).sum(over_batch) * r if self.needs[1] else None
        gbeta = gy.sum(over_batch) if self.needs[2] else None
        return gx, ggamma, gbeta
