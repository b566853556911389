"""Batch norm as its definition, channel by channel.

    y = gamma·x̂ + beta        x̂ = (x − mean)·r

mean is Σx/M over a channel's M values, var is Σ(x − mean)²/M, and r = 1/√(var + eps). In evaluation the caller passes
the running statistics instead. tinyres/ops/batch_norm.py derives the three gradients:

    gbeta = Σ gy        ggamma = Σ gy·x̂        gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M)
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array


def batch_norm_values(x: Array) -> int:
    return sum(1 for image in x for _ in image[0].flat) if x.shape[1] else 0


def batch_norm_statistics(x: Array, eps: float) -> tuple[Array, Array, Array]:
    mean, var, r = (np.zeros(x.shape[1], x.dtype) for _ in range(3))
    for c in range(x.shape[1]):
        values = x[:, c]
        mean[c] = values.sum() / values.size
        var[c] = ((values - mean[c]) ** 2).sum() / values.size
        r[c] = 1 / np.sqrt(var[c] + eps)
    return mean, var, r


def batch_norm_track(
    running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, values: int
) -> None:
    for c in range(len(mean)):
        running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c]
        running_var[c] = (1 - momentum) * running_var[c] + momentum * var[c] * values / (values - 1)


def batch_norm(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    y = np.empty(x.shape, x.dtype)
    for c in range(x.shape[1]):
        y[:, c] = gamma[c] * (x[:, c] - mean[c]) * r[c] + beta[c]
    return y


def batch_norm_grad_sums(gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
    gbeta, ggamma = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    for c in range(x.shape[1]):
        gbeta[c] = gy[:, c].sum()
        ggamma[c] = (gy[:, c] * (x[:, c] - mean[c]) * r[c]).sum()
    return gbeta, ggamma


def batch_norm_grad_x(gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> Array:
    gx = np.empty(x.shape, x.dtype)
    M = x.size // x.shape[1]
    for c in range(x.shape[1]):
        x_hat = (x[:, c] - mean[c]) * r[c]
        gx[:, c] = gamma[c] * r[c] * (gy[:, c] - gbeta[c] / M - x_hat * ggamma[c] / M)
    return gx
