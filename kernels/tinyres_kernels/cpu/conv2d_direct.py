"""Convolution by plain sums, near the processor's peak: a tile of sums in registers slides over each image.

    N images · C channels in · O channels out · (H, W) in · (P, Q) out · (KH, KW) kernel · (i, j) a place in the kernel

**The layout.** Each thread copies one image at a time into scratch memory, in the order that suits the tile
(conv2d_layout.py). While it works on one image, the processor already fetches the next.

**The tile** (conv2d_tile.py) is 8 pixels × 2 vectors of output channels, or another shape with the same number of sums
if that fits the layer better (host.py). It runs through the "taps" (i, j, 4 channels) of the kernel, each of which is a
place in the laid-out image. Results beyond the image's width or beyond O are computed and dropped.

**The three directions.** Forward slides the kernel over x. The gradient of x slides the turned kernel over gy; for a
stride s it is split into s·s parts, so that no multiplication is wasted. The gradient of w holds 8 channels × 2 vectors
of gw in registers and walks along the pixels. Each thread adds up its own images; then the threads' sums are added in
order, so that the result is the same to the last bit every time.

**Speed**, as a share of the 570 GFLOP/s that two cores with AVX-512 (AMD EPYC) reach in a loop of nothing but
multiply-adds. Batch 128, float32, from call to return, medians of one `tinyres bench`:

                                     forward   grad_x   grad_w
    3×3/2, 16 -> 32 channels, 32×32    79 %      59 %     77 %
    3×3/2, 32 -> 64 channels, 16×16    81 %      65 %     80 %
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import literally, prange

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled, compiled_parallel
from tinyres_kernels.cpu.conv2d_layout import laid_out_shape, lay_out, share_of, tap_offsets
from tinyres_kernels.cpu.conv2d_tile import BLOCK, GROUP, fetch, output_tile, weight_tile
from tinyres_kernels.cpu.host import best_tile, lanes, threads, up


def direct_conv2d(
    x: Array,
    w: Array,
    y: Array,
    size: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    first: Pair = (0, 0),
    step: Pair = (1, 1),
) -> None:
    """x (N,H,W,C), w (O,C,KH,KW) -> into y (N,…,…,O): size (P, Q) output pixels, from `first` on, `step` apart.

    A negative padding leaves out rows of x.
    """
    O, C, KH, KW = w.shape
    pixels, vectors = best_tile(size[1], O, x.dtype)
    width = vectors * lanes(x.dtype)
    shape = laid_out_shape(C, size, (KH, KW), stride, pixels)
    taps = tap_offsets(C, GROUP, (KH, KW), stride, shape)
    weights = memory.zeros((up(O, width) // width, KH, KW, up(C, GROUP), width), x.dtype)
    pack_weights(np.require(w, requirements="W"), weights)
    scratch = memory.zeros((threads(), *shape), x.dtype)
    output_kernel(pixels, vectors)(x, weights, taps, stride, padding, scratch, y, size, first, step)


def direct_grad_x(gy: Array, w: Array, gx: Array, stride: Pair, padding: Pair) -> None:
    """gy (N,P,Q,O), w (O,C,KH,KW) -> into gx (N,H,W,C)

    Row r of x met weight i in output p if p·s = r + pad − i. So the rows r with r + pad = k, k+s, k+2s, … (k < s) met
    only the weights i = k, k+s, …: with r + pad = k + s·m and i = k + s·l, row m of these met weight l in output
    p = m − l. That is a convolution of stride 1 with the turned part of the kernel. The same holds for columns, so
    s·s such convolutions make up gx.
    """
    for k_row in range(stride[0]):
        for k_column in range(stride[1]):
            part = w[:, :, k_row :: stride[0], k_column :: stride[1]]
            first = (
                (k_row - padding[0]) % stride[0],
                (k_column - padding[1]) % stride[1],
            )  # where this part of gx begins
            view = gx[:, first[0] :: stride[0], first[1] :: stride[1]]
            if part.size == 0 or view.size == 0:
                view[:] = 0
                continue
            m = (first[0] + padding[0]) // stride[0], (first[1] + padding[1]) // stride[1]
            before = part.shape[2] - 1 - m[0], part.shape[3] - 1 - m[1]
            turned = part[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, ...)
            direct_conv2d(gy, turned, gx, view.shape[1:3], (1, 1), before, first, stride)


def direct_grad_w(gy: Array, x: Array, gw: Array, stride: Pair, padding: Pair) -> None:
    """gy (N,P,Q,O), x (N,H,W,C) -> into gw (O,C,KH,KW)"""
    O, C, KH, KW = gw.shape
    P, Q = gy.shape[1:3]
    channels, vectors = best_tile(min(C, BLOCK), O, x.dtype)
    width = vectors * lanes(x.dtype)
    shape = laid_out_shape(C, (P, Q), (KH, KW), stride)
    taps = tap_offsets(C, channels, (KH, KW), stride, shape)
    scratch = memory.zeros((threads(), *shape), x.dtype)
    rows = memory.zeros((threads(), P * Q * up(O, width)), x.dtype)  # for a gy whose channels do not fill the vectors
    sums = memory.zeros((threads(), up(O, width) // width, KH, KW, up(C, channels), width), x.dtype)
    grad_w_kernel(channels, vectors)(x, gy, taps, stride, padding, scratch, rows, sums)
    add_up_workers(sums, gw)


@compiled_parallel
def pack_weights(w, weights):
    """w (O,C,KH,KW) -> (panels, KH, KW, channels, width), as the tile reads them; zeros beyond O and C"""
    O, C, KH, KW = w.shape
    width = weights.shape[4]
    for c in prange(C):
        for i in range(KH):
            for j in range(KW):
                for o in range(O):
                    weights[o // width, i, j, c, o % width] = w[o, c, i, j]


@cache
def output_kernel(pixels: int, vectors: int) -> Callable:
    """The kernel behind direct_conv2d for one shape of tile; it shares the images out among the threads.

    It is made by a function so that numba knows pixels and vectors while it compiles. numba caches such a kernel on
    disk too, as long as the values from outside it are plain numbers.
    """

    @compiled_parallel
    def fill(x, weights, taps, stride, padding, scratch, y, size, first, step):
        for k in prange(len(scratch)):
            worker = np.int64(k)  # numba takes k for signed and for unsigned, and would compile the share for both
            output_share(pixels, vectors, worker, x, weights, taps, stride, padding, scratch, y, size, first, step)

    return fill


@compiled
def output_share(pixels, vectors, worker, x, weights, taps, stride, padding, scratch, y, size, first, step):
    """One worker's share of the images."""
    pixels, vectors = literally(pixels), literally(vectors)  # compile anew for every shape of tile
    O, (P, Q) = y.shape[3], size
    panels, width = len(weights), weights.shape[4]
    laid, (begin, end) = scratch[worker], share_of(worker, len(scratch), len(x))
    _, rows, phases, columns, _ = laid.shape
    flat_x, flat_w, flat_y, flat_laid = x.reshape(-1), weights.reshape(-1), y.reshape(-1), laid.reshape(-1)
    x_row, y_row, y_pixel = stride[0] * phases * columns * BLOCK, step[0] * y.shape[2] * O, step[1] * O
    share = x[0].size * pixels // (P * Q) + 1  # of the next image, to be fetched beside each tile
    edge = np.empty(pixels * width, x.dtype)
    for n in range(begin, end):
        lay_out(flat_x, n, x.shape, flat_laid, laid.shape, 0, rows, stride, padding)
        next_image = (n + 1) * x[0].size
        start = ((n * y.shape[1] + first[0]) * y.shape[2] + first[1]) * O
        for panel in range(panels):
            w_at, o = panel * weights[0].size, panel * width
            for p in range(P):
                for q in range(0, Q, pixels):
                    if panel == 0:
                        fetch(flat_x, next_image, share)
                        next_image += share
                    y_at = start + p * y_row + q * y_pixel + o
                    fetch(flat_y, y_at + 2 * pixels * y_pixel, pixels * width)  # where the tile after next will write
                    inside = q + pixels <= Q and o + width <= O
                    target, target_at, target_pixel = edge, 0, width
                    if inside:
                        target, target_at, target_pixel = flat_y, y_at, y_pixel
                    output_tile(
                        pixels, vectors, flat_laid, p * x_row + q * BLOCK, taps,
                        flat_w, w_at, target, target_at, target_pixel,
                    )  # fmt: skip
                    if not inside:
                        copy_inner(edge, width, flat_y, y_at, y_pixel, min(pixels, Q - q), min(width, O - o))


@compiled
def copy_inner(edge, width, y, y_at, y_pixel, pixels, channels):
    """The part of a tile that lies inside the image, where the tile reaches beyond an edge."""
    for pixel in range(pixels):
        for o in range(channels):
            y[y_at + pixel * y_pixel + o] = edge[pixel * width + o]


@cache
def grad_w_kernel(channels: int, vectors: int) -> Callable:
    """The kernel behind direct_grad_w for one shape of tile; each thread adds its images into sums of its own."""

    @compiled_parallel
    def add(x, gy, taps, stride, padding, scratch, padded, sums):
        for k in prange(len(scratch)):
            worker = np.int64(k)  # numba takes k for signed and for unsigned, and would compile the share for both
            grad_w_share(channels, vectors, worker, x, gy, taps, stride, padding, scratch, padded, sums)

    return add


@compiled
def grad_w_share(channels, vectors, worker, x, gy, taps, stride, padding, scratch, padded, sums):
    """Add one worker's share of the images into its own sums."""
    channels, vectors = literally(channels), literally(vectors)
    _, P, Q, O = gy.shape
    _, panels, KH, _, _, width = sums.shape
    laid, wide, (begin, end) = scratch[worker], padded[worker], share_of(worker, len(scratch), len(x))
    _, _, phases, columns, _ = laid.shape
    flat_x, flat_gy, flat_laid, flat_sums = x.reshape(-1), gy.reshape(-1), laid.reshape(-1), sums[worker].reshape(-1)
    x_row = stride[0] * phases * columns * BLOCK
    band = max(1, 256 // Q)  # rows of gy at a time, so that they and their part of x stay in the nearest cache
    calls = (P + band - 1) // band * panels * len(taps)  # of weight_tile for an image; each has its share to fetch
    x_share, gy_share = x[0].size // calls + 1, gy[0].size // calls + 1
    for n in range(begin, end):
        rows_of_gy, gy_at, gy_pixel = flat_gy, n * P * Q * O, O
        if O % width != 0:
            rows_of_gy, gy_at, gy_pixel = wide, 0, panels * width
            widen(gy[n], wide, gy_pixel)
        next_x, next_gy, ready = (n + 1) * x[0].size, (n + 1) * P * Q * O, 0
        for p in range(0, P, band):
            count = min(band, P - p)
            needed = (p + count - 1) * stride[0] + KH
            lay_out(flat_x, n, x.shape, flat_laid, laid.shape, ready, needed, stride, padding)
            ready = max(ready, needed)
            for panel in range(panels):
                for tap in range(len(taps)):
                    fetch(flat_x, next_x, x_share)
                    fetch(flat_gy, next_gy, gy_share)
                    next_x, next_gy = next_x + x_share, next_gy + gy_share
                    weight_tile(
                        channels, vectors, flat_laid, p * x_row + taps[tap], x_row,
                        rows_of_gy, gy_at + p * Q * gy_pixel + panel * width, Q * gy_pixel, gy_pixel,
                        count, Q, flat_sums, (panel * len(taps) + tap) * channels * width,
                    )  # fmt: skip


@compiled
def widen(gy, wide, width):
    """Copy gy (P,Q,O) into wide, where a pixel has `width` channels; those beyond O stay zero."""
    P, Q, O = gy.shape
    for p in range(P):
        for q in range(Q):
            for o in range(O):
                wide[(p * Q + q) * width + o] = gy[p, q, o]


@compiled_parallel
def add_up_workers(sums, gw):
    """The workers' sums (workers, panels, KH, KW, channels, width), added in order -> gw (O,C,KH,KW)"""
    O, C, KH, KW = gw.shape
    workers, width = sums.shape[0], sums.shape[5]
    for c in prange(C):
        for i in range(KH):
            for j in range(KW):
                for o in range(O):
                    total = sums[0, o // width, i, j, c, o % width]
                    for worker in range(1, workers):
                        total += sums[worker, o // width, i, j, c, o % width]
                    gw[o, c, i, j] = total
