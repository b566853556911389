"""Batch normalisation and ReLU in one op, as between two convolutions: with fewer trips to memory."""

from tinyres.autograd import Array, Op
from tinyres.device import kernels_for


class BatchNormReLU(Op):
    r"""y = max(z, 0)    z = gamma·x̂ + beta    x̂ = (x − mean)·r  with r = 1/√(var + eps)    mean, var: of the batch

    x, y (N,C,…)  gamma, beta (C)        sums: per channel, over its M values

    g = gy where z > 0, and 0 elsewhere        the gate; the rest is batch_norm.py, with g for its gy
    gbeta = Σ g        ggamma = Σ g·x̂
    gx = gamma·r · (g − gbeta/M − x̂·ggamma/M)

    Where the gate is shut gx is not 0: there x does not change its own y, but it does change mean and var.

    Saved, besides small arrays: x alone. Backward computes the sign of z from x, which it must read for x̂ anyway.
    Trips of an activation to or from memory: 3 forward (x, again x, y) and 5 backward (gy and x twice, gx).
    As two ops: 5 and 8.
    """

    def __init__(self, eps: float):
        self.eps = eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        kernels = kernels_for(x)
        mean, var, r = kernels.batch_norm_statistics(x, self.eps)
        self.batch_mean, self.batch_var = mean, var  # for F.batch_norm's running statistics
        self.saved = x, mean, r, gamma, beta
        return kernels.batch_norm_relu(x, mean, r, gamma, beta)

    def backward(self, gy: Array) -> tuple[Array | None, Array, Array]:
        x, mean, r, gamma, beta = self.saved
        kernels = kernels_for(gy)
        gbeta, ggamma = kernels.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta)
        gx = None
        if self.needs[0]:
            gx = kernels.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, gbeta, ggamma)
        return gx, ggamma, gbeta
