"""A fully connected layer on a GPU: the launches of linear.cu."""

from __future__ import annotations

from typing import Any

from tinyres_kernels import array
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.gpu.channels import launch_by_channel
from tinyres_kernels.gpu.launch import covered, empty, in_order, launch

SOURCE = "linear.cu"
TILE, DEPTH = 16, 64  # of linear.cu


def linear(x: Array, w: Array, b: Array | None) -> Array:
    if not covered(x, w):
        return array.linear(x, w, b)
    (N, I), O = x.shape, len(w)
    w = in_order(w)
    bias = (w, 0) if b is None else (in_order(b), 1)
    return matrix_product("linear", x, w, (N, O), N, I, O, *bias)


def linear_grad_x(gy: Array, w: Array) -> Array:
    if not covered(gy, w):
        return array.linear_grad_x(gy, w)
    (N, O), I = gy.shape, w.shape[1]
    return matrix_product("linear_grad_x", gy, w, (N, I), N, I, O)


def linear_grad_w(gy: Array, x: Array) -> Array:
    if not covered(gy, x):
        return array.linear_grad_w(gy, x)
    (N, O), I = gy.shape, x.shape[1]
    return matrix_product("linear_grad_w", gy, x, (O, I), N, I, O)


def matrix_product(kernel: str, a: Array, b: Array, shape: Pair, *arguments: Any) -> Array:
    """kernel(a, b, y, arguments…) -> y, of that shape"""
    y = empty(a, shape)
    grid = -(-shape[0] // TILE), -(-shape[1] // TILE), 1
    shared = 2 * TILE * (DEPTH + 1) * y.dtype.itemsize
    launch(SOURCE, kernel, y, (in_order(a), in_order(b), y, *arguments), grid=grid, threads=TILE**2, shared=shared)
    return y


def linear_grad_b(gy: Array) -> Array:
    if not covered(gy):
        return array.linear_grad_b(gy)
    N, O = gy.shape
    gb = empty(gy, (O,))
    launch_by_channel(SOURCE, "linear_grad_b", gy, (in_order(gy), gb, N, O), O, 8, 1, sums=1)
    return gb
