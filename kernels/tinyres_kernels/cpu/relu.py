"""y = max(x, 0) for arrays in the same order of bytes (see elements.py)."""

from __future__ import annotations

from numba import prange

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.cpu.cache import compiled_parallel
from tinyres_kernels.cpu.elements import covered, each_number


def relu(x: Array) -> Array:
    return each_number(relu_numbers, x) if covered(x) else array.relu(x)


def relu_grad_x(gy: Array, y: Array) -> Array:
    return each_number(relu_gradients, gy, y) if covered(gy, y) else array.relu_grad_x(gy, y)


@compiled_parallel
def relu_numbers(x, y):
    """y = max(x, 0); a NaN stays NaN"""
    for i in prange(y.size):
        y[i] = 0 if x[i] <= 0 else x[i]


@compiled_parallel
def relu_gradients(gy, y, gx):
    """gx = gy where y > 0, else 0"""
    for i in prange(gx.size):
        gx[i] = gy[i] if y[i] > 0 else 0
