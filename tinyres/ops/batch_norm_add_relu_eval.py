"""Batch normalisation with given statistics, the residual addition and ReLU, in one op."""

import numpy as np

from tinyres.autograd import Array, Op
from tinyres.device import kernels_for
from tinyres.ops.batch_norm_eval import as_column


class BatchNormAddReLUEval(Op):
    r"""y = max(gamma·x̂ + beta + s, 0)        x̂ = (x − mean)·r,  r = 1/√(var + eps), mean and var (C) given

    s (N,C,…): what the shortcut brings

    g = gy where y > 0, and 0 elsewhere        the gate
    gs = g                                     the addition
    gx = g·gamma·r        ggamma = Σ g·x̂        gbeta = Σ g

    Forward takes 3 trips to memory (x, s, y); as three ops it would take 7.
    """

    def __init__(self, mean: Array, var: Array, eps: float):
        self.mean, self.var, self.eps = mean, var, eps

    def forward(self, x: Array, s: Array, gamma: Array, beta: Array) -> Array:
        r = 1 / np.sqrt(self.var + self.eps)
        y = kernels_for(x).batch_norm_add_relu(x, s, self.mean, r, gamma, beta)
        self.saved = x, self.mean, r, gamma, y
        return y

    def backward(self, gy: Array) -> tuple[Array, Array, Array, Array]:
        x, mean, r, gamma, y = self.saved
        g, gbeta, ggamma = kernels_for(gy).batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
        return g * as_column(gamma * r, g), g, ggamma, gbeta
