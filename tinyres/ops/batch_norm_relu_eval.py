"""Batch normalisation with given statistics, and ReLU, in one op."""

import numpy as np

from tinyres.autograd import Array, Op
from tinyres.device import kernels_for
from tinyres.ops.batch_norm_eval import as_column


class BatchNormReLUEval(Op):
    r"""y = max(gamma·x̂ + beta, 0)        x̂ = (x − mean)·r,  r = 1/√(var + eps), mean and var (C) given

    g = gy where y > 0, and 0 elsewhere        the gate
    gx = g·gamma·r        ggamma = Σ g·x̂        gbeta = Σ g

    Forward takes 2 trips to memory (x, y); as two ops it would take 4.
    """

    def __init__(self, mean: Array, var: Array, eps: float):
        self.mean, self.var, self.eps = mean, var, eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        r = 1 / np.sqrt(self.var + self.eps)
        y = kernels_for(x).batch_norm_relu(x, self.mean, r, gamma, beta)
        self.saved = x, self.mean, r, gamma, y
        return y

    def backward(self, gy: Array) -> tuple[Array, Array, Array]:
        x, mean, r, gamma, y = self.saved
        g = gy * (y > 0)
        gbeta, ggamma = kernels_for(gy).batch_norm_grad_sums(g, x, mean, r)
        g *= as_column(gamma * r, g)  # gx, in the buffer that g no longer needs
        return g, ggamma, gbeta
