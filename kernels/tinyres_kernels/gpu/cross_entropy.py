"""Cross-entropy on a GPU: the launches of cross_entropy.cu."""

from __future__ import annotations

import numpy as np

from tinyres_kernels import array
from tinyres_kernels.contract import Array
from tinyres_kernels.gpu.launch import THREADS, blocks_for, covered, empty, in_order, launch

WARP = 32
ROWS = THREADS // WARP  # of a block


def cross_entropy(x: Array, labels: Array, smoothing: float) -> tuple[Array, Array]:
    if not covered(x):
        return array.cross_entropy(x, labels, smoothing)
    N, K = x.shape
    losses, p = empty(x, (N,)), empty(x, (N, K))
    arguments = in_order(x), as_ints(labels), losses, p, float(smoothing), N, K
    launch("cross_entropy.cu", "cross_entropy", x, arguments, grid=(-(-N // ROWS), 1, 1))
    return losses, p


def cross_entropy_grad_x(gy: Array, p: Array, labels: Array, smoothing: float) -> Array:
    if not covered(p, gy):
        return array.cross_entropy_grad_x(gy, p, labels, smoothing)
    gx = empty(p, p.shape)
    arguments = in_order(gy), in_order(p), as_ints(labels), gx, float(smoothing), p.shape[1], p.size
    launch("cross_entropy.cu", "cross_entropy_grad_x", p, arguments, grid=blocks_for(p.size))
    return gx


def as_ints(labels: Array) -> Array:
    """labels in int32 and in order, as the kernels read them; labels itself if it is so already"""
    return in_order(labels.astype(np.int32, copy=False))
