"""Average pooling as its definition.

    y[n,c,p,q] = (1/M[p,q]) · Σ_{i,j} x[n,c, p·s+i−pad, q·s+j−pad]        (x = 0 outside)

M[p,q] is the number of places of the window that count: those inside the padded input, or with count_include_pad=False
those inside the input itself. Each x receives gy/M from every window that contains it.
"""

from __future__ import annotations

import numpy as np

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.windows import output_sizes


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool) -> Array:
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    y = np.empty((*x.shape[:2], P, Q), x.dtype)
    for p, q in np.ndindex(P, Q):
        rows, columns, count = window(p, q, x.shape, kernel, stride, padding, count_include_pad)
        y[:, :, p, q] = x[:, :, rows, columns].sum((2, 3)) / count
    return y


def avg_pool2d_grad_x(
    gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    gx = np.zeros(x_shape, gy.dtype)
    for p, q in np.ndindex(gy.shape[2:]):
        rows, columns, count = window(p, q, x_shape, kernel, stride, padding, count_include_pad)
        gx[:, :, rows, columns] += gy[:, :, p, q, None, None] / count
    return gx


def window(
    p: int, q: int, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> tuple[slice, slice, int]:
    """The rows and columns of x in window (p, q), and the number of places that count."""
    inside, counted = [], 1
    for k, place in enumerate((p, q)):
        length = x_shape[2 + k]
        start = place * stride[k] - padding[k]
        stop = min(start + kernel[k], length + padding[k])  # a ceil_mode window may hang over even the padding
        inside.append(slice(max(start, 0), min(stop, length)))
        counted *= stop - start if count_include_pad else inside[k].stop - inside[k].start
    return inside[0], inside[1], counted
