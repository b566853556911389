"""Convolution as its definition: loops over every output value and every weight it uses.

    N images · C channels in · O channels out · (H, W) in · (P, Q) out · (KH, KW) kernel
    stride and padding are pairs: (rows, columns)

    y[n,o,p,q] = Σ_{c,i,j} x[n,c, p·s+i−pad, q·s+j−pad] · w[o,c,i,j]        (x = 0 outside)

What the two gradients do follows from that one line: wherever forward multiplies x[…] by w[…] and adds the product to
y[…], backward adds gy[…]·w[…] to gx[…] and gy[…]·x[…] to gw[…]. So all three walk the same places.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres_kernels.windows import output_size

Pair = tuple[int, int]


def conv2d(x: np.ndarray, w: np.ndarray, stride: Pair, padding: Pair) -> np.ndarray:
    """x (N,C,H,W), w (O,C,KH,KW) -> y (N,O,P,Q)"""
    P, Q = (output_size(x.shape[2 + k], w.shape[2 + k], stride[k], padding[k]) for k in (0, 1))
    y = np.zeros((len(x), len(w), P, Q), x.dtype)
    for n in range(len(x)):
        for o in range(len(w)):
            for p, q, i, j, row, column in places((P, Q), x.shape, w.shape, stride, padding):
                for c in range(x.shape[1]):
                    y[n, o, p, q] += x[n, c, row, column] * w[o, c, i, j]
    return y


def conv2d_grad_x(gy: np.ndarray, w: np.ndarray, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> np.ndarray:
    """gy (N,O,P,Q), w (O,C,KH,KW) -> gx (N,C,H,W)"""
    gx = np.zeros(x_shape, gy.dtype)
    for n in range(len(gy)):
        for o in range(len(w)):
            for p, q, i, j, row, column in places(gy.shape[2:], x_shape, w.shape, stride, padding):
                for c in range(x_shape[1]):
                    gx[n, c, row, column] += gy[n, o, p, q] * w[o, c, i, j]
    return gx


def conv2d_grad_w(gy: np.ndarray, x: np.ndarray, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> np.ndarray:
    """gy (N,O,P,Q), x (N,C,H,W) -> gw (O,C,KH,KW)"""
    gw = np.zeros(w_shape, gy.dtype)
    for n in range(len(gy)):
        for o in range(w_shape[0]):
            for p, q, i, j, row, column in places(gy.shape[2:], x.shape, w_shape, stride, padding):
                for c in range(x.shape[1]):
                    gw[o, c, i, j] += gy[n, o, p, q] * x[n, c, row, column]
    return gw


def places(
    size: tuple[int, ...], x_shape: tuple[int, ...], w_shape: tuple[int, ...], stride: Pair, padding: Pair
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Every (p, q, i, j, row, column): output (p, q) meets x[row, column] at weight (i, j). Padding is left out."""
    for p in range(size[0]):
        for q in range(size[1]):
            for i in range(w_shape[2]):
                for j in range(w_shape[3]):
                    row = p * stride[0] + i - padding[0]
                    column = q * stride[1] + j - padding[1]
                    if 0 <= row < x_shape[2] and 0 <= column < x_shape[3]:
                        yield p, q, i, j, row, column
