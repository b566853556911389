"""Batch norm in array code, step by step in one buffer, which saves trips to memory."""

import numpy as np

from tinyres_kernels.contract import Array


def batch_norm_values(x: Array) -> int:
    return x.size // max(1, x.shape[1])


def batch_norm_statistics(x: Array, eps: float) -> tuple[Array, Array, Array]:
    mean = channel_sums(x) / batch_norm_values(x)
    deviation = x - column(mean, x)
    deviation *= deviation
    var = channel_sums(deviation) / batch_norm_values(x)
    return mean, var, 1 / np.sqrt(var + eps)


def batch_norm_track(
    running_mean: Array, running_var: Array, mean: Array, var: Array, momentum: float, values: int
) -> None:
    running_mean += momentum * (mean - running_mean)
    running_var += momentum * (var * (values / (values - 1)) - running_var)


def batch_norm(x: Array, mean: Array, r: Array, gamma: Array, beta: Array) -> Array:
    y = x - column(mean, x)
    y *= column(gamma * r, x)
    y += column(beta, x)
    return y


def batch_norm_grad_sums(gy: Array, x: Array, mean: Array, r: Array) -> tuple[Array, Array]:
    product = x - column(mean, x)
    product *= gy
    return channel_sums(gy), channel_sums(product) * r


def batch_norm_grad_x(gy: Array, x: Array, mean: Array, r: Array, gamma: Array, gbeta: Array, ggamma: Array) -> Array:
    gx = x - column(mean, x)
    gx *= column(-r * ggamma / batch_norm_values(x), x)
    gx -= column(gbeta / batch_norm_values(x), x)
    gx += gy
    gx *= column(gamma * r, x)
    return gx


def channel_sums(x: Array) -> Array:
    """x (N,C,…) -> (C)"""
    return x.sum((0, *range(2, x.ndim)))


def column(values: Array, x: Array) -> Array:
    """(C) -> (C,1,1), with as many ones as it takes to broadcast with x (N,C,…)"""
    return values.reshape(-1, *[1] * (x.ndim - 2))
