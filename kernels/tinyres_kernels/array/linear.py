"""A fully connected layer in array code: BLAS does the products."""

from typing import Any

Array = Any


def linear(x: Array, w: Array, b: Array | None) -> Array:
    """x (N,I), w (O,I), b (O) or None -> y (N,O)"""
    y = x @ w.T
    return y if b is None else y + b


def linear_grad_x(gy: Array, w: Array) -> Array:
    """gy (N,O), w (O,I) -> gx (N,I)"""
    return gy @ w


def linear_grad_w(gy: Array, x: Array) -> Array:
    """gy (N,O), x (N,I) -> gw (O,I)"""
    return gy.T @ x


def linear_grad_b(gy: Array) -> Array:
    """gy (N,O) -> gb (O)"""
    return gy.sum(0)
