"""A fully connected layer on a GPU: the launches of linear.cu."""

from __future__ import annotations

from typing import Any

from tinyres_kernels import array
from tinyres_kernels.gpu.channels import launch_by_channel
from tinyres_kernels.gpu.launch import covered, empty, in_order
from tinyres_kernels.gpu.tile import product

Array = Any
SOURCE = "linear.cu"
INDEX = 4  # bytes: what the tile keeps of a row, or of a place in the depth, is its number


def linear(x: Array, w: Array, b: Array | None) -> Array:
    """x (N,I), w (O,I), b (O) or None -> y (N,O)"""
    if not covered(x, w):
        return array.linear(x, w, b)
    (N, I), O = x.shape, len(w)
    y = empty(x, (N, O))
    w = in_order(w)
    bias = w if b is None else in_order(b)
    product(SOURCE, "linear", (in_order(x), w, bias, y, int(b is not None), N, I, O), N, O, place=INDEX)
    return y


def linear_grad_x(gy: Array, w: Array) -> Array:
    """gy (N,O), w (O,I) -> gx (N,I)"""
    if not covered(gy, w):
        return array.linear_grad_x(gy, w)
    (N, O), I = gy.shape, w.shape[1]
    gx = empty(gy, (N, I))
    product(SOURCE, "linear_grad_x", (in_order(gy), in_order(w), gx, N, I, O), N, I, place=INDEX)
    return gx


def linear_grad_w(gy: Array, x: Array) -> Array:
    """gy (N,O), x (N,I) -> gw (O,I)"""
    if not covered(gy, x):
        return array.linear_grad_w(gy, x)
    (N, O), I = gy.shape, x.shape[1]
    gw = empty(gy, (O, I))
    product(SOURCE, "linear_grad_w", (in_order(gy), in_order(x), gw, N, I, O), O, I, place=INDEX)
    return gw


def linear_grad_b(gy: Array) -> Array:
    """gy (N,O) -> gb (O)"""
    if not covered(gy):
        return array.linear_grad_b(gy)
    N, O = gy.shape
    gb = empty(gy, (O,))
    launch_by_channel(SOURCE, "linear_grad_b", gy, (in_order(gy), gb, N, O), O, 8, 1)
    return gb
