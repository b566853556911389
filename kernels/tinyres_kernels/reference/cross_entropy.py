"""Cross-entropy as its definition, row by row.

    p[k] = eˣᵏ / Σ_j eˣʲ        loss = −Σ_k t[k] · ln p[k]        t[k] = (1 − smoothing)·[k = label] + smoothing/K

The largest score is taken off all of them first: that changes no p, and e to the power of a large one is infinite.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def cross_entropy(x: Array, labels: Array, smoothing: float) -> tuple[Array, Array]:
    """x (N,K), labels (N) -> the losses (N), p (N,K)"""
    losses, p = np.zeros(len(x), x.dtype), np.empty(x.shape, x.dtype)
    for n, row in enumerate(x):
        shifted = row - row.max()
        log_p = shifted - np.log(np.exp(shifted).sum())
        for k in range(len(row)):
            losses[n] -= wanted(k, int(labels[n]), len(row), smoothing) * log_p[k]
        p[n] = np.exp(log_p)
    return losses, p


def cross_entropy_grad_x(gy: Array, p: Array, labels: Array, smoothing: float) -> Array:
    """gy (N), p (N,K), labels (N) -> gx (N,K)"""
    gx = np.empty(p.shape, p.dtype)
    for n, k in np.ndindex(p.shape):
        gx[n, k] = gy[n] * (p[n, k] - wanted(k, int(labels[n]), p.shape[1], smoothing))
    return gx


def wanted(k: int, label: int, classes: int, smoothing: float) -> float:
    """t[k]"""
    return (1 - smoothing) * (k == label) + smoothing / classes
