"""Batch normalisation, the residual addition and ReLU in one op: the end of a residual block."""

from tinyres.autograd import Array, Op
from tinyres.device import kernels_for


class BatchNormAddReLU(Op):
    r"""y = max(gamma·x̂ + beta + s, 0)    x̂ = (x − mean)·r  with r = 1/√(var + eps)    mean, var: of the batch

    x, s, y (N,C,…)  gamma, beta (C)        s: the output of the shortcut        sums: per channel, over its M values

    g = gy where y > 0, and 0 elsewhere        the gate
    gs = g                                     the addition: to the shortcut unchanged, whatever the branch is
    gbeta = Σ g        ggamma = Σ g·x̂          and to the branch: batch_norm.py, with g for its gy
    gx = gamma·r · (g − gbeta/M − x̂·ggamma/M)

    Saved, besides small arrays: x, and y for the gate; the convolution that reads y next keeps it anyway.
    Trips of an activation to or from memory: 4 forward (x, again x, s, y) and 7 backward (gy, y, x, write g; g, x, gx).
    As three ops: 8 and 8.
    """

    def __init__(self, eps: float):
        self.eps = eps

    def forward(self, x: Array, s: Array, gamma: Array, beta: Array) -> Array:
        kernels = kernels_for(x)
        mean, var, r = kernels.batch_norm_statistics(x, self.eps)
        self.batch_mean, self.batch_var = mean, var  # for F.batch_norm's running statistics
        y = kernels.batch_norm_add_relu(x, s, mean, r, gamma, beta)
        self.saved = x, mean, r, gamma, y
        return y

    def backward(self, gy: Array) -> tuple[Array | None, Array, Array, Array]:
        x, mean, r, gamma, y = self.saved
        kernels = kernels_for(gy)
        g, gbeta, ggamma = kernels.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
        gx = None
        if self.needs[0]:
            gx = kernels.batch_norm_grad_x(g, x, mean, r, gamma, gbeta, ggamma)
        return gx, g, ggamma, gbeta
