"""The gradient of w of a 3×3 convolution by Winograd's method (see conv2d_winograd.py), every matrix transposed.

gw = KERNELᵀ · Σ (OUTPUTᵀ · gy · OUTPUT) ⊙ (INPUT · x · INPUTᵀ) · KERNEL        summed over places and images

x  ─ image_to_points ────> values (points, channels in, places) ─┐
gy ─ gradient_to_points ─> values (points, places, channels out) ─ weight_tile ─> sums ─ points_to_weights ─> gw
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import literally, prange

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled, compiled_parallel
from tinyres_kernels.cpu.conv2d_layout import laid_out_shape, lay_out, share_of
from tinyres_kernels.cpu.conv2d_tile import BLOCK, Matrix, combination, fetch, weight_tile
from tinyres_kernels.cpu.conv2d_winograd import (
    APART,
    KERNEL,
    OUTPUT,
    PAIRS,
    POINTS,
    SIDE,
    SQUARE,
    channel_offsets,
    image_to_points,
    places_in,
    whole_places,
)
from tinyres_kernels.cpu.host import VECTOR_BYTES, best_tile, lanes, threads, up


def transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


gradient_at_points = combination(PAIRS, transposed(OUTPUT))
kernel_from_points = combination(transposed(KERNEL), PAIRS)


def winograd_grad_w(gy: Array, x: Array, gw: Array, padding: Pair) -> None:
    """gy (N,P,Q,O), x (N,H,W,C) -> into gw (O,C,3,3)"""
    O, C, _, _ = gw.shape
    _, P, Q, _ = gy.shape
    # The more places, the fewer passes over the sums; but a point's values should stay in the second-level cache.
    places, together = places_in((P, Q)), min(max(64, 16384 // C), 128)
    dtype, group = x.dtype, max(1, together // places)
    length = group * places
    channels, vectors = best_tile(min(C, BLOCK), O, dtype)
    width = vectors * lanes(dtype)
    panels = up(O, width) // width
    taps = channel_offsets(C, channels, length)
    laid = memory.zeros((threads(), *laid_out_shape(C, whole_places((P, Q)), (3, 3), (1, 1))), dtype)
    gy_laid = memory.zeros((threads(), *laid_out_shape(O, whole_places((P, Q)), (1, 1), (1, 1))), dtype)
    values = memory.empty((threads(), POINTS, up(C, BLOCK) * length + APART), dtype)
    gy_values = memory.empty((threads(), POINTS, panels * length * width + APART), dtype)
    sums = memory.empty((threads(), POINTS, panels, up(C, channels) + 1, width), dtype)  # + 1: see APART
    winograd_grad_w_kernel(channels, vectors)(x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums)
    points_to_weights(sums, gw)


@cache
def winograd_grad_w_kernel(channels: int, vectors: int) -> Callable:
    """The kernel behind winograd_grad_w for one shape of tile; each thread adds its images into sums of its own."""

    @compiled_parallel
    def add(x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums):
        for k in prange(len(sums)):
            worker = np.int64(k)  # numba takes k for signed and for unsigned, and would compile the share for both
            winograd_grad_w_share(
                channels, vectors, worker, x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums
            )

    return add


@compiled
def winograd_grad_w_share(
    channels, vectors, worker, x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums
):
    """Add one worker's share of the images into its own sums, a group at a time."""
    channels, vectors = literally(channels), literally(vectors)
    workers, blocks, rows, _, columns, _ = laid.shape
    _, _, panels, rows_of_sums, width = sums.shape
    places = rows // SIDE * (columns // SIDE)
    plane, gy_plane = values.shape[2], gy_values.shape[2]
    length = (plane - APART) // (blocks * BLOCK)
    flat_x, flat_gy, O = x.reshape(-1), gy.reshape(-1), gy.shape[3]
    laid, gy_laid = laid[worker], gy_laid[worker]
    flat_laid, flat_gy_laid = laid.reshape(-1), gy_laid.reshape(-1)
    values, gy_values, sums = values[worker].reshape(-1), gy_values[worker].reshape(-1), sums[worker].reshape(-1)
    sums[:] = 0
    calls = POINTS * panels * len(taps)  # of weight_tile for a group; each has its share of the next to fetch
    x_share, gy_share = group * x[0].size // calls + 1, group * gy[0].size // calls + 1
    begin, end = share_of(worker, workers, len(x))
    for n in range(begin, end, group):
        count = min(group, end - n)
        for g in range(count):
            lay_out(flat_x, n + g, x.shape, flat_laid, laid.shape, 0, rows, (1, 1), padding)
            image_to_points(flat_laid, laid.shape, values, g * places * BLOCK, length, plane)
            lay_out(flat_gy, n + g, gy.shape, flat_gy_laid, gy_laid.shape, 0, rows, (1, 1), (0, 0))
            gradient_to_points(flat_gy_laid, gy_laid.shape, O, gy_values, g * places * width, length, width, gy_plane)
        next_x, next_gy = (n + count) * x[0].size, (n + count) * gy[0].size
        for point in range(POINTS):
            for panel in range(panels):
                for tap in range(len(taps)):
                    fetch(flat_x, next_x, x_share)
                    fetch(flat_gy, next_gy, gy_share)
                    next_x, next_gy = next_x + x_share, next_gy + gy_share
                    weight_tile(
                        channels, vectors, values, point * plane + taps[tap], 0,
                        gy_values, point * gy_plane + panel * length * width, 0, width,
                        1, count * places,
                        sums, ((point * panels + panel) * rows_of_sums + tap * channels) * width,
                    )  # fmt: skip


@compiled
def gradient_to_points(laid, laid_shape, O, values, at, length, width, plane):
    """A laid-out gy -> its values at the points, which lie `plane` apart: (panels, places, width) each"""
    _, rows, _, columns, _ = laid_shape
    vector = VECTOR_BYTES // values.itemsize
    for o in range(0, O, vector):
        target = at + o // width * length * width + o % width
        for row in range(0, rows, SIDE):
            for column in range(0, columns, SIDE):
                source = ((o // BLOCK * rows + row) * columns + column) * BLOCK + o % BLOCK
                gradient_at_points(laid, source, columns * BLOCK, BLOCK, values, target, SQUARE * plane, plane)
                target += width


@compiled_parallel
def points_to_weights(sums, gw):
    """The workers' sums at the points (workers, POINTS, panels, channels, width), added in order -> gw (O,C,3,3)"""
    for k in prange(sums.shape[2]):
        panel = np.int64(k)  # numba takes k for signed and for unsigned, and would compile for both
        points_to_weight_panel(sums, panel, gw)


@compiled
def points_to_weight_panel(sums, panel, gw):
    """The same for one panel. It takes a block of channels at a time, because large weights lie far apart in memory."""
    O, C, KH, KW = gw.shape
    workers, _, panels, channels, width = sums.shape
    plane, run, vector = panels * channels * width, BLOCK * width, VECTOR_BYTES // gw.itemsize
    flat, total, square = sums.reshape(-1), np.empty(POINTS * run, gw.dtype), np.empty(KH * KW * vector, gw.dtype)
    for first in range(0, C, BLOCK):
        size = min(BLOCK, C - first) * width
        total[:] = 0
        for worker in range(workers):
            for point in range(POINTS):
                at = (worker * POINTS + point) * plane + (panel * channels + first) * width
                part, whole = flat[at : at + size], total[point * run : point * run + size]
                for k in range(size):
                    whole[k] += part[k]
        for c in range(first, min(first + BLOCK, C)):
            for v in range(0, width, vector):
                at = (c - first) * width + v
                kernel_from_points(total, at, SQUARE * run, run, square, 0, KW * vector, vector)
                o = panel * width + v
                for lane in range(min(vector, O - o)):
                    for i in range(KH):
                        for j in range(KW):
                            gw[o + lane, c, i, j] = square[(i * KW + j) * vector + lane]
