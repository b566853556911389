"""A fully connected layer on a GPU: the launches of linear.cu."""

from __future__ import annotations

from typing import Any

from tinyres_kernels import array
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.gpu.channels import launch_by_channel
from tinyres_kernels.gpu.launch import covered, empty, in_order
from tinyres_kernels.gpu.tile import product

SOURCE = "linear.cu"
INDEX = 4  # bytes: for a row, or for a place in the depth, the tile keeps only its number


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
    product(SOURCE, kernel, (in_order(a), in_order(b), y, *arguments), *shape, place=INDEX)
    return y


def linear_grad_b(gy: Array) -> Array:
    if not covered(gy):
        return array.linear_grad_b(gy)
    N, O = gy.shape
    gb = empty(gy, (O,))
    launch_by_channel(SOURCE, "linear_grad_b", gy, (in_order(gy), gb, N, O), O, 8, 1)
    return gb
