"""Batch normalisation: each channel brought to mean 0 and variance 1 over the batch, then scaled and shifted."""

from __future__ import annotations

import numpy as np

from tinyres.autograd import Array, Op


class BatchNorm(Op):
    r"""mu = mean(x)    var = mean((x − mu)²)    x̂ = (x − mu)·r  with r = 1/√(var + eps)    y = gamma·x̂ + beta

    x, y (N,C,…)  gamma, beta (C)        means: per channel, over its M values (Ioffe & Szegedy 2015, Alg. 1)

    gbeta = Σ gy        ggamma = Σ gy·x̂
    gx = gamma·r · (gy − mean(gy) − x̂·mean(gy·x̂))
                         └through mu┘ └─through var─┘

    x reaches the loss along three ways: directly, through mu and through var; hence the two corrections. They take
    out of gx what could only shift or scale a whole channel, since neither changes y: gx sums to 0 over a channel.
    Saved: x̂, r, gamma. `batch_mean` and `batch_var` are handed out for F.batch_norm's running statistics.
    """

    def __init__(self, eps: float):
        self.eps = eps

    def forward(self, x: Array, gamma: Array, beta: Array) -> Array:
        mu = per_channel_mean(x)
        x_hat = x - as_column(mu, x)
        var = per_channel_mean(x_hat * x_hat)
        r = 1 / np.sqrt(var + self.eps)
        x_hat *= as_column(r, x)
        self.saved = x_hat, r, gamma
        self.batch_mean, self.batch_var = mu, var
        y = x_hat * as_column(gamma, x)
        y += as_column(beta, x)
        return y

    def backward(self, gy: Array) -> tuple[Array | None, Array, Array]:
        x_hat, r, gamma = self.saved
        g_beta = per_channel_mean(gy)
        g_gamma = per_channel_mean(gy * x_hat)
        gx = None
        if self.needs[0]:
            gx = x_hat * as_column(-g_gamma, gy)  # step by step in one buffer: fewer trips to memory
            gx -= as_column(g_beta, gy)
            gx += gy
            gx *= as_column(gamma * r, gy)
        M = gy.size // gy.shape[1]
        return gx, g_gamma * M, g_beta * M


def per_channel_mean(x: Array) -> Array:
    """x (N,C,…) -> (C)"""
    return x.mean(axis=(0, *range(2, x.ndim)))


def as_column(values: Array, x: Array) -> Array:
    """(C) -> (C,1,1), or as many ones as it takes to stand beside x (N,C,…)"""
    return values.reshape(-1, *[1] * (x.ndim - 2))
