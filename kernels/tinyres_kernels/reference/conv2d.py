"""Convolution as its definition: loops over every output value and every weight it uses.

    N images · C channels in · O channels out · (H, W) in · (P, Q) out · (KH, KW) kernel
    stride and padding are pairs: (rows, columns)

    y[n,o,p,q] = Σ_{c,i,j} x[n,c, p·s+i−pad, q·s+j−pad] · w[o,c,i,j]        (x = 0 outside)

The two gradients follow from that one line: wherever forward multiplies x[…] by w[…] and adds the product to y[…],
backward adds gy[…]·w[…] to gx[…] and gy[…]·x[…] to gw[…]. So all three visit the same places.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.windows import output_sizes


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    P, Q = output_sizes(x.shape[2:], w.shape[2:], stride, padding)
    y = np.zeros((len(x), len(w), P, Q), x.dtype)
    for n in range(len(x)):
        for o in range(len(w)):
            for p, q, i, j, row, column in places((P, Q), x.shape, w.shape, stride, padding):
                for c in range(x.shape[1]):
                    y[n, o, p, q] += x[n, c, row, column] * w[o, c, i, j]
    return y


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    gx = np.zeros(x_shape, gy.dtype)
    for n in range(len(gy)):
        for o in range(len(w)):
            for p, q, i, j, row, column in places(gy.shape[2:], x_shape, w.shape, stride, padding):
                for c in range(x_shape[1]):
                    gx[n, c, row, column] += gy[n, o, p, q] * w[o, c, i, j]
    return gx


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
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
