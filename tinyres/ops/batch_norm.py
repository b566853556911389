"""Batch normalisation: each channel brought to mean 0 and variance 1 over the batch, then scaled and shifted."""

from tinyres.autograd import Array, Op
from tinyres.device import kernels_for


class BatchNorm(Op):
    r"""mean = Σ x / M    var = Σ (x − mean)² / M    x̂ = (x − mean)·r  with r = 1/√(var + eps)    y = gamma·x̂ + beta

    x, y (N,C,…)  gamma, beta (C)        sums: per channel, over its M values (Ioffe & Szegedy 2015, Alg. 1)

    gbeta = Σ gy        ggamma = Σ gy·x̂
    gx = gamma·r · (gy − gbeta/M − x̂·ggamma/M)
                        └via mean┘ └─ via var ─┘

    x reaches the loss along three paths: directly, through mean and through var; hence the two corrections. They remove
    from gx what would only shift or scale a whole channel, since neither changes y: gx sums to 0 over a channel.

    Saved, besides small arrays: x, which exists anyway; x̂ is computed again from it where it is needed.
    Trips of an activation to or from memory: 3 forward (x, again x, y) and 5 backward (gy and x twice, gx).
    """

    def __init__(self, eps: float):
        self.eps = eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        kernels = kernels_for(x)
        mean, var, r = kernels.batch_norm_statistics(x, self.eps)
        self.batch_mean, self.batch_var = mean, var  # for F.batch_norm's running statistics
        self.saved = x, mean, r, gamma
        return kernels.batch_norm(x, mean, r, gamma, beta)

    def backward(self, gy: Array) -> tuple[Array | None, Array, Array]:
        x, mean, r, gamma = self.saved
        kernels = kernels_for(gy)
        gbeta, ggamma = kernels.batch_norm_grad_sums(gy, x, mean, r)
        gx = None
        if self.needs[0]:
            gx = kernels.batch_norm_grad_x(gy, x, mean, r, gamma, gbeta, ggamma)
        return gx, ggamma, gbeta
