"""Max pooling as its definition.

    y[n,c,p,q] = max_{i,j} x[n,c, p·s+i−pad, q·s+j−pad]      (x = −∞ outside)

As in torch, the first of several equal maxima wins, even if they are −∞, and a NaN wins over everything. Only the
winner mattered to y, so in backward it receives the whole gy and the others nothing. Overlapping windows may have the
same winner, so gy is added.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.windows import output_sizes


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
    N, C, H, W = x.shape
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    y = np.full((N, C, P, Q), -np.inf, x.dtype)
    argmax = np.full((N, C, P, Q), -1, np.int32)  # −1: nothing seen yet
    for n, c, p, q in np.ndindex(N, C, P, Q):
        for i, j in np.ndindex(kernel):
            row, column = p * stride[0] + i - padding[0], q * stride[1] + j - padding[1]
            if 0 <= row < H and 0 <= column < W:
                value = x[n, c, row, column]
                if argmax[n, c, p, q] < 0 or value > y[n, c, p, q] or np.isnan(value):
                    y[n, c, p, q] = value
                    argmax[n, c, p, q] = i * kernel[1] + j
    return y, argmax


def max_pool2d_grad_x(
    gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    gx = np.zeros(x_shape, gy.dtype)
    for n, c, p, q in np.ndindex(gy.shape):
        i, j = divmod(int(argmax[n, c, p, q]), kernel[1])
        gx[n, c, p * stride[0] + i - padding[0], q * stride[1] + j - padding[1]] += gy[n, c, p, q]
    return gx
