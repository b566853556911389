"""Max pooling with the loop over the window's places on the outside: KH·KW passes over whole arrays."""

import numpy as np

from tinyres_kernels.array.pooling import cover, place
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.windows import output_sizes


def max_pool2d(x: Array, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> tuple[Array, Array]:
    P, Q = output_sizes(x.shape[2:], kernel, stride, padding, ceil_mode)
    covered = cover(x, (P, Q), kernel, stride, padding, -np.inf)
    y = np.full_like(x, -np.inf, shape=(*x.shape[:2], P, Q))
    argmax = np.zeros_like(x, dtype=np.int32, shape=(*x.shape[:2], P, Q))
    top, left = (np.maximum(0, padding[k] - stride[k] * np.arange(n, like=x)) for k, n in enumerate((P, Q)))
    argmax += top[:, None] * kernel[1] + left  # the first place inside the image, in case all are −∞
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            value = covered[place(i, j, (P, Q), stride)]
            larger = (value > y) | (value != value)  # the second holds for NaN alone
            argmax[larger] = i * kernel[1] + j
            y[larger] = value[larger]
    return y, argmax


def max_pool2d_grad_x(
    gy: Array, argmax: Array, x_shape: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair
) -> Array:
    size = gy.shape[2:]
    covered = cover(np.zeros_like(gy, shape=x_shape), size, kernel, stride, padding, 0)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            covered[place(i, j, size, stride)] += gy * (argmax == i * kernel[1] + j)
    return covered[:, :, padding[0] : padding[0] + x_shape[2], padding[1] : padding[1] + x_shape[3]]
