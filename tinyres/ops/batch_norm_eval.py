"""Batch normalisation in evaluation, with the running statistics that training has gathered."""

import numpy as np

from tinyres.autograd import Array, Op
from tinyres.device import kernels_for


class BatchNormEval(Op):
    r"""y = gamma·x̂ + beta        x̂ = (x − mean)·r,  r = 1/√(var + eps), mean and var (C) given

    gx = gy·gamma·r        ggamma = Σ gy·x̂        gbeta = Σ gy

    mean and var no longer depend on x: what is left is one multiplication and one addition for each channel.
    """

    def __init__(self, mean: Array, var: Array, eps: float):
        self.mean, self.var, self.eps = mean, var, eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        r = 1 / np.sqrt(self.var + self.eps)
        self.saved = x, self.mean, r, gamma
        return kernels_for(x).batch_norm(x, self.mean, r, gamma, beta)

    def backward(self, gy: Array) -> tuple[Array | None, Array | None, Array | None]:
        x, mean, r, gamma = self.saved
        gx = gy * as_column(gamma * r, gy) if self.needs[0] else None
        if not any(self.needs[1:]):
            return gx, None, None
        gbeta, ggamma = kernels_for(gy).batch_norm_grad_sums(gy, x, mean, r)
        return gx, ggamma if self.needs[1] else None, gbeta if self.needs[2] else None


def as_column(values: Array, x: Array) -> Array:
    """(C) -> (C,1,1), with one axis of length 1 for each of x's (N,C,…) after C"""
    return values.reshape(-1, *[1] * (x.ndim - 2))
