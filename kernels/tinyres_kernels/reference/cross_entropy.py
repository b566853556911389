"""Cross-entropy as its definition, row by row.

    p[k] = eˣᵏ / Σ_j eˣʲ        loss = −Σ_k t[k] · ln p[k]        t[k] = (1 − smoothing)·[k = label] + smoothing/K

The largest score is subtracted from all of them first. That leaves p as it is, and without it e to the power of a large
score would be infinite.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array


def cross_entropy(x: Array, labels: Array, smoothing: float) -> tuple[Array, Array]:
    losses, p = np.zeros(len(x), x.dtype), np.empty(x.shape, x.dtype)
    for n, row in enumerate(x):
        shifted = row - row.max()
        log_p = shifted - np.log(np.exp(shifted).sum())
        for k in range(len(row)):
            losses[n] -= wanted(k, int(labels[n]), len(row), smoothing) * log_p[k]
        p[n] = np.exp(log_p)
    return losses, p


def cross_entropy_grad_x(gy: Array, p: Array, labels: Array, smoothing: float) -> Array:
    gx = np.empty(p.shape, p.dtype)
    for n, k in np.ndindex(p.shape):
        gx[n, k] = gy[n] * (p[n, k] - wanted(k, int(labels[n]), p.shape[1], smoothing))
    return gx


def wanted(k: int, label: int, classes: int, smoothing: float) -> float:
    """t[k]"""
    return (1 - smoothing) * (k == label) + smoothing / classes
