"""Convolution on a GPU, in Python that numba compiles. Read it before the CUDA C++ of gpu/conv2d.cu.

    N images · C channels in · O channels out · (H, W) in · (P, Q) out · (KH, KW) kernel

All three directions are matrix products y[row, column] = Σ_k a[row, k]·b[k, column]. The matrix a is never stored: its
numbers are looked up in an image when they are needed, and outside the image they are 0.

                 rows            k               columns   a[row, k]                       b[k, column]
    conv2d       pixels n,p,q    taps i,j,c      o         x[n, p·s+i−pad, q·s+j−pad, c]   w[i,j,c, o]
    grad_x       pixels n,r,t    taps i,j,o      c         gy[n, (r+pad−i)/s, …, o]        w[i,j,o, c]
    grad_w       taps i,j,c      pixels n,p,q    o         x[n, p·s+i−pad, …, c]           gy[n,p,q, o]

A GPU runs thousands of threads at once, in blocks; the threads of a block share a small fast memory. Here a block has
16 × 16 threads and computes 16 × 16 numbers of y, one for each thread. It goes along k in steps of 16: every thread
fetches one number of a and one of b into the shared memory; once all have done so (`syncthreads`), each reads the
16 + 16 numbers that it needs from there. So every number is fetched from the GPU's slow memory once for 16 uses.

That is still far from the peak: it takes two reads of shared memory for each multiply-add. In gpu/conv2d_fma.cuh each
thread does 64 multiply-adds for 8 reads, of four numbers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from tinyres_kernels import array
from tinyres_kernels.array.conv2d import in_order
from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.windows import output_sizes

TILE = 16


def conv2d(x: Array, w: Array, stride: Pair, padding: Pair) -> Array:
    """The bytes of y are NHWC."""
    if not covered(x, w):
        return array.conv2d(x, w, stride, padding)
    O, _, *kernel = w.shape
    P, Q = output_sizes(x.shape[2:], w.shape[2:], stride, padding)
    taps = w.transpose(2, 3, 1, 0).reshape(-1, O)
    y = np.empty_like(x, shape=(len(x), P, Q, O), order="C")
    run(input_of_pixel, x, taps, y.reshape(-1, O), (P, Q, *kernel, *stride, *padding))
    return y.transpose(0, 3, 1, 2)


def conv2d_grad_x(gy: Array, w: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    """The bytes of gx are NHWC."""
    if not covered(gy, w):
        return array.conv2d_grad_x(gy, w, x_shape, stride, padding)
    N, C, H, W = x_shape
    taps = w.transpose(2, 3, 0, 1).reshape(-1, C)
    gx = np.empty_like(gy, shape=(N, H, W, C), order="C")
    run(output_of_pixel, gy, taps, gx.reshape(-1, C), (H, W, *w.shape[2:], *stride, *padding))
    return gx.transpose(0, 3, 1, 2)


def conv2d_grad_w(gy: Array, x: Array, w_shape: tuple[int, ...], stride: Pair, padding: Pair) -> Array:
    if not covered(gy, x):
        return array.conv2d_grad_w(gy, x, w_shape, stride, padding)
    O, C, KH, KW = w_shape
    pixels = gy.transpose(0, 2, 3, 1).reshape(-1, O)
    gw = np.empty_like(x, shape=(KH * KW * C, O), order="C")
    run(input_of_tap, x, pixels, gw, (*gy.shape[2:], KH, KW, *stride, *padding))
    return gw.reshape(KH, KW, C, O).transpose(3, 2, 0, 1).copy()


def covered(*arrays: Array) -> bool:
    """Are these arrays all float32 or all float64, and none empty?"""
    dtype = arrays[0].dtype
    return dtype in (np.float32, np.float64) and all(a.size and a.dtype == dtype for a in arrays)


def run(a_at: Callable, image: Array, b: Array, y: Array, sizes: tuple[int, ...]) -> None:
    """y (rows, columns) = a · b, with a block of threads for every 16 × 16 of y. image (N,C,H,W) holds a's numbers."""
    rows, columns = y.shape
    grid = -(-rows // TILE), -(-columns // TILE)
    product(a_at, y.dtype.type)[grid, (TILE, TILE)](in_order(image.transpose(0, 2, 3, 1)), in_order(b), y, sizes)


@cache
def product(a_at: Callable, real: type) -> Any:
    """The kernel, compiled for this a and for float32 or float64."""

    @cuda.jit
    def kernel(image, b, y, sizes):
        a_tile = cuda.shared.array((TILE, TILE), real)
        b_tile = cuda.shared.array((TILE, TILE), real)
        i, j = cuda.threadIdx.y, cuda.threadIdx.x
        row, column = cuda.blockIdx.x * TILE + i, cuda.blockIdx.y * TILE + j
        (rows, columns), depth = y.shape, b.shape[0]
        total = real(0)
        for first in range(0, depth, TILE):
            a_tile[i, j] = a_at(image, row, first + j, sizes) if row < rows and first + j < depth else real(0)
            b_tile[i, j] = b[first + i, column] if first + i < depth and column < columns else real(0)
            cuda.syncthreads()  # no thread reads before all have written
            for k in range(TILE):
                total += a_tile[i, k] * b_tile[k, j]
            cuda.syncthreads()  # no thread writes the next step before all have read this one
        if row < rows and column < columns:
            y[row, column] = total

    return kernel


@cuda.jit(device=True)
def input_of_pixel(x, pixel, tap, sizes):
    """The number of x (N,H,W,C) that output pixel `pixel` sees at place `tap` of its window."""
    P, Q, _, KW, s_rows, s_columns, pad_rows, pad_columns = sizes
    C = x.shape[3]
    row = pixel // Q % P * s_rows + tap // C // KW - pad_rows
    column = pixel % Q * s_columns + tap // C % KW - pad_columns
    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return x[pixel // Q // P, row, column, tap % C] if inside else x.dtype.type(0)


@cuda.jit(device=True)
def input_of_tap(x, tap, pixel, sizes):
    """The same numbers with rows and depth exchanged, for the gradient of w."""
    return input_of_pixel(x, pixel, tap, sizes)


@cuda.jit(device=True)
def output_of_pixel(gy, pixel, tap, sizes):
    """The number of gy (N,P,Q,O) that comes back to input pixel `pixel` from the window that saw it at place `tap`."""
    H, W, _, KW, s_rows, s_columns, pad_rows, pad_columns = sizes
    O = gy.shape[3]
    row = pixel // W % H + pad_rows - tap // O // KW
    column = pixel % W + pad_columns - tap // O % KW
    p, q = row // s_rows, column // s_columns
    met = 0 <= p < gy.shape[1] and 0 <= q < gy.shape[2] and p * s_rows == row and q * s_columns == column
    return gy[pixel // W // H, p, q, tap % O] if met else gy.dtype.type(0)
