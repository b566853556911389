"""Compile the kernels that tests use: `python compile_kernels.py winograd` compiles those of 3×3 convolutions,
`python compile_kernels.py others` the rest. Each takes about half of the time, so they run side by side on two cores.

What is missing here is no error: a test that needs another variant compiles it.
"""

import sys

import numpy as np

import tinyres_kernels.cpu as cpu
from tinyres_kernels.cpu import elements
from tinyres_kernels.cpu.host import TILES, lanes

DTYPES = np.dtype(np.float32), np.dtype(np.float64)


def nhwc(a):
    """The same values, each pixel's channels side by side in memory."""
    return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def convolve(dtype, channels, out_channels, side, kernel, stride):
    """All three directions, from weights in each order in which the tests have them."""
    padding = kernel // 2, kernel // 2
    x = np.ones((1, channels, side, side), dtype)
    w = np.ones((out_channels, channels, kernel, kernel), dtype)
    every_second = np.ones((out_channels, channels, kernel, 2 * kernel), dtype)[..., ::2]
    for weights in (w, every_second, np.asfortranarray(w)):
        y = cpu.conv2d(x, weights, (stride, stride), padding)
    cpu.conv2d_grad_x(y, w, x.shape, (stride, stride), padding)
    cpu.conv2d_grad_w(y, x, w.shape, (stride, stride), padding)


def winograd():
    for dtype in DTYPES:
        for rows, vectors in TILES:
            width = vectors * lanes(dtype)
            for side in (8, 24):
                convolve(dtype, width, width, side, 3, 1)
            convolve(dtype, rows, width, 8, 3, 1)


def others():
    for dtype in DTYPES:
        for rows, vectors in TILES:
            width = vectors * lanes(dtype)
            convolve(dtype, width, width, rows, 1, 1)
            convolve(dtype, rows, width, rows, 1, 1)
        convolve(dtype, 3, 4, 9, 3, 2)
        convolve(dtype, 3, 4, 9, 2, 1)
        element_by_element(dtype)
        pool(dtype)


def element_by_element(dtype):
    elements.LEAST_BYTES = 1  # smaller arrays than this are NumPy's otherwise
    for shape in ((2, 3, 4, 4), (2, 3)):
        x = nhwc(np.ones(shape, dtype)) if len(shape) == 4 else np.ones(shape, dtype)
        c = np.ones(3, dtype)
        cpu.batch_norm_statistics(x, 1e-5)
        cpu.batch_norm(x, c, c, c, c)
        cpu.batch_norm_grad_sums(x, x, c, c)
        cpu.batch_norm_grad_x(x, x, c, c, c, c, c)
        cpu.batch_norm_relu(x, c, c, c, c)
        cpu.batch_norm_relu_grad_sums(x, x, c, c, c, c)
        cpu.batch_norm_relu_grad_x(x, x, c, c, c, c, c, c)
        cpu.batch_norm_add_relu(x, x, c, c, c, c)
        cpu.batch_norm_add_relu_grad_sums(x, x, x, c, c)
        cpu.add(x, x)
        cpu.relu(x)
        cpu.relu_grad_x(x, x)


def pool(dtype):
    x, two, zero = nhwc(np.ones((1, 3, 4, 4), dtype)), (2, 2), (0, 0)
    y, argmax = cpu.max_pool2d(x, two, two, zero, False)
    cpu.max_pool2d_grad_x(y, argmax, x.shape, two, two, zero)
    y = cpu.avg_pool2d(x, two, two, zero, False, True)
    cpu.avg_pool2d_grad_x(y, x.shape, two, two, zero, True)


if __name__ == "__main__":
    {"winograd": winograd, "others": others}[sys.argv[1]]()
