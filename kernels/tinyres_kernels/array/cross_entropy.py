"""Cross-entropy in array code."""

import numpy as np

from tinyres_kernels.contract import Array


def cross_entropy(x: Array, labels: Array, smoothing: float) -> tuple[Array, Array]:
    shifted = x - x.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return -(wanted(x, labels, smoothing) * log_p).sum(1), np.exp(log_p)


def cross_entropy_grad_x(gy: Array, p: Array, labels: Array, smoothing: float) -> Array:
    return gy[:, None] * (p - wanted(p, labels, smoothing))


def wanted(like: Array, labels: Array, smoothing: float) -> Array:
    """t (N,K): 1 − smoothing at the label, and smoothing spread over all K classes"""
    N, K = like.shape
    t = np.full_like(like, smoothing / K)
    t[np.arange(N), labels] += 1 - smoothing
    return t
