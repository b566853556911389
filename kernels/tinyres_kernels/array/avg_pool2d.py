"""Average pooling with the loop over the window's places on the outside: KH·KW additions of whole arrays."""

import numpy as np

from tinyres_kernels.array.pooling import cover, place
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.windows import output_sizes


def avg_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool, count_include_pad: bool) -> Array:
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    covered = cover(x, (P, Q), kernel, stride, padding, 0)
    y = np.zeros_like(x, shape=(*x.shape[:2], P, Q))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y += covered[place(i, j, (P, Q), stride)]
    return y / counts(x, x.shape, (P, Q), kernel, stride, padding, count_include_pad)


def avg_pool2d_grad_x(
    gy: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, count_include_pad: bool
) -> Array:
    size = gy.shape[2:]
    share = gy / counts(gy, x_shape, size, kernel, stride, padding, count_include_pad)
    covered = cover(np.zeros_like(gy, shape=x_shape), size, kernel, stride, padding, 0)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            covered[place(i, j, size, stride)] += share
    return covered[:, :, padding[0] : padding[0] + x_shape[2], padding[1] : padding[1] + x_shape[3]]


def counts(
    like: Array,
    x_shape: tuple[int, ...],
    size: tuple[int, ...],
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    count_include_pad: bool,
) -> Array:
    """(P, Q): how many places of each window count, the number of rows times the number of columns."""
    along = []
    for k in (0, 1):
        start = np.arange(size[k]) * stride[k] - padding[k]
        stop = np.minimum(start + kernel[k], x_shape[2 + k] + padding[k])
        if not count_include_pad:
            start, stop = np.maximum(start, 0), np.minimum(stop, x_shape[2 + k])
        along.append(stop - start)
    return np.asarray(np.outer(*along), dtype=like.dtype, like=like)
