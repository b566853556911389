"""Batch normalisation as its definition, channel by channel.

    y = gamma·x̂ + beta        x̂ = (x − mean)·r

mean is Σx/M over a channel's M values, var is Σ(x − mean)²/M, and r = 1/√(var + eps); a caller may also have them from
elsewhere. What the three gradients do is derived in tinyres/ops/batch_norm.py:

    gbeta = Σ gy        ggamma = Σ gy·x̂        gx = gamma·r·(gy − gbeta/M − x̂·ggamma/M)
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def batch_norm_values(x: Array) -> int:
    """x (N,C,…) -> M, how many values each channel has"""
    return sum(1 for image in x for _ in image[0].flat) if x.shape[1] else 0


def batch_norm_statistics(x: Array, eps: float) -> tuple[Array, Array, Array]:
    """x (N,C,…) -> mean (C), var (C), r (C)"""
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
    """All (C). Move the running statistics, in place, towards a batch's of so many values a channel.

    running = (1 − momentum)·running + momentum·batch, the variance divided by values − 1 as for a sample.
    """
    for c in range(len(mean)):
        running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c]
        running_var[c] = (1 - momentum) * running_var[c] + momentum * var[c] * values / (values - 1)


def batch_norm(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    """x (N,C,…), the others (C) -> y (N,C,…)"""
    y = np.empty(x.shape, x.dtype)
    for c in range(x.shape[1]):
        y[:, c] = gamma[c] * (x[:, c] - mean[c]) * r[c] + beta[c]
    return y


def batch_norm_grad_sums(gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
    """gy, x (N,C,…), mean, r (C) -> gbeta (C), ggamma (C)"""
    gbeta, ggamma = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    for c in range(x.shape[1]):
        gbeta[c] = gy[:, c].sum()
        ggamma[c] = (gy[:, c] * (x[:, c] - mean[c]) * r[c]).sum()
    return gbeta, ggamma


def batch_norm_grad_x(gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> Array:
    """gy, x (N,C,…), the others (C) -> gx (N,C,…)"""
    gx = np.empty(x.shape, x.dtype)
    M = x.size // x.shape[1]
    for c in range(x.shape[1]):
        x_hat = (x[:, c] - mean[c]) * r[c]
        gx[:, c] = gamma[c] * r[c] * (gy[:, c] - gbeta[c] / M - x_hat * ggamma[c] / M)
    return gx
