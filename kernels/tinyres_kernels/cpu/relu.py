"""y = max(x, 0) for arrays that lie in memory alike (see elements.py)."""

from __future__ import annotations

import numpy as np
from numba import prange

import tinyres_kernels.array as array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.elements import covered, empty_like, flat

Array = np.ndarray


def relu(x: Array) -> Array:
    """x -> y, of x's shape"""
    if not covered(x):
        return array.relu(x)
    y = empty_like(x)
    gated(flat(x), flat(y))
    return y


def relu_grad_x(gy: Array, y: Array) -> Array:
    """gy, y -> gx, all of one shape"""
    if not covered(gy, y):
        return array.relu_grad_x(gy, y)
    gx = empty_like(gy)
    passed(flat(gy), flat(y), flat(gx))
    return gx


@compiled_parallel
def gated(x, y):
    """y = max(x, 0), NaN staying NaN"""
    for i in prange(y.size):
        y[i] = 0 if x[i] <= 0 else x[i]


@compiled_parallel
def passed(gy, y, gx):
    """gx = gy where y > 0, else 0"""
    for i in prange(gx.size):
        gx[i] = gy[i] if y[i] > 0 else 0
