"""A fully connected layer as its definition: y[n,o] = Σ_i x[n,i] · w[o,i] + b[o]."""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array


def linear(x: Array, w: Array, b: Array | None) -> Array:
    y = np.zeros((len(x), len(w)), x.dtype)
    for n, o in np.ndindex(y.shape):
        for i in range(x.shape[1]):
            y[n, o] += x[n, i] * w[o, i]
        if b is not None:
            y[n, o] += b[o]
    return y


def linear_grad_x(gy: Array, w: Array) -> Array:
    gx = np.zeros((len(gy), w.shape[1]), gy.dtype)
    for n, i, o in np.ndindex(*gx.shape, len(w)):
        gx[n, i] += gy[n, o] * w[o, i]
    return gx


def linear_grad_w(gy: Array, x: Array) -> Array:
    gw = np.zeros((gy.shape[1], x.shape[1]), gy.dtype)
    for o, i, n in np.ndindex(*gw.shape, len(gy)):
        gw[o, i] += gy[n, o] * x[n, i]
    return gw


def linear_grad_b(gy: Array) -> Array:
    gb = np.zeros(gy.shape[1], gy.dtype)
    for n, o in np.ndindex(gy.shape):
        gb[o] += gy[n, o]
    return gb
