"""Max pooling as its definition.

    y[n,c,p,q] = the largest x[n,c, p·s+i−pad, q·s+j−pad] over the window's (i, j)      (x = −∞ outside)

The first of several equal maxima wins, be they −∞, and a NaN wins over everything: as in torch. Only the winner
mattered to y, so backward hands it the whole gy and the others nothing; overlapping windows may pick the same winner,
so it is added.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.windows import output_size

Pair = tuple[int, int]


def max_pool2d(
    x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool
) -> tuple[np.ndarray, np.ndarray]:
    """x (N,C,H,W) -> y (N,C,P,Q), and where in its window each maximum stood: i·KW + j (N,C,P,Q)"""
    N, C, H, W = x.shape
    P, Q = (output_size(x.shape[2 + k], kernel[k], stride[k], padding[k], ceil_mode) for k in (0, 1))
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
    gy: np.ndarray, argmax: np.ndarray, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> np.ndarray:
    """gy, argmax (N,C,P,Q) -> gx (N,C,H,W)"""
    gx = np.zeros(x_shape, gy.dtype)
    for n, c, p, q in np.ndindex(gy.shape):
        i, j = divmod(int(argmax[n, c, p, q]), kernel[1])
        gx[n, c, p * stride[0] + i - padding[0], q * stride[1] + j - padding[1]] += gy[n, c, p, q]
    return gx
