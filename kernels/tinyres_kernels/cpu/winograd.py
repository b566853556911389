"""Convolution with half the multiplications, for kernels with 3 columns and a stride of 1: Winograd's F(4, 3).

**The idea.** Six neighbouring numbers x of a row and three weights w make four outputs y: 12 multiplications. Read as
coefficients, they are polynomials, and a product of polynomials is known from its values at enough points. At a point
it takes *one* multiplication, and six points (0, 1, −1, 2, −2 and ∞) are enough:

    y = OUTPUT · ((KERNEL · w) ⊙ (INPUT · x))                       6 multiplications instead of 12

INPUT evaluates x at the points, KERNEL w; OUTPUT goes from the points back to pixels. They contain small numbers only
and are cheap: INPUT · x is needed once for all kernel rows and output channels, KERNEL · w once for all images, and
between ⊙ and OUTPUT the products of all kernel rows and input channels are added up. So what is left of a convolution
is, at each of the six points, a convolution with a kernel of one column, by the same tiles as in conv2d.py:

    x ── spread ──> values (points, channels in, rows, places) ── output_tile ──> sums (points, places, channels out)
                                                                                          └──── gather ────> y

A *place* stands for 4 neighbouring pixels of a row. The gradient of x is a convolution with the turned kernel. The
gradient of w runs everything backwards, each matrix transposed: gw = KERNELᵀ · Σ (OUTPUTᵀ · gy) ⊙ (INPUT · x).

**What it costs.** Rounding errors two to four times as large as those of plain summation, as large numbers arise which
later cancel (measured in float32 with 16 channels: 4.8e-7 of y's size instead of 1.8e-7, 9.7e-7 of gw's instead of
2.7e-7).
A NaN or an infinity reaches all pixels of the places that see it, not only those whose window does.

Winograd 1980, "Arithmetic complexity of computations"; for convolutional networks: Lavin & Gray 2016, §4.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import literally, prange

from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled, compiled_parallel
from tinyres_kernels.cpu.host import VECTOR_BYTES, best_tile, lanes, threads, up
from tinyres_kernels.cpu.layout import copy_pixels, share_of
from tinyres_kernels.cpu.tile import BLOCK, GROUP, combination, fetch, output_tile, weight_tile

Pair = tuple[int, int]

INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
KERNEL = np.array([(6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24)]) / 24
OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
POINTS, PIXELS = len(INPUT), len(OUTPUT)  # of the latter, as many as a place stands for

input_at_points = combination(INPUT)
pixels_from_points = combination(OUTPUT)
gradient_at_points = combination(tuple(zip(*OUTPUT, strict=True)))

BAND = 64  # places at a time, so that their sums stay in the nearest cache
GROUP_PLACES = 256  # at least so many places for once fetching the weights from further away


def pays(kernel: tuple[int, ...], stride: Pair, columns: int) -> bool:
    """Does this file serve the kernel, and multiply less than the direct way to make so many columns of output?"""
    return kernel[1] == 3 and stride == (1, 1) and POINTS * places_in(columns) < 3 * columns


def places_in(columns: int) -> int:
    return up(columns, PIXELS) // PIXELS


@cache
def taps_of(C: int, step: int, KH: int, across: int, length: int) -> np.ndarray:
    """For every (kernel row, step of channels) where in values (blocks, length, BLOCK) the first place finds it."""
    i, c = np.meshgrid(np.arange(KH), np.arange(0, C, step), indexing="ij")
    return ((c // BLOCK * length + i * across) * BLOCK + c % BLOCK).ravel()


@cache
def starts_of(images: int, halves: int, half: int, length: int) -> np.ndarray:
    """Where the halves of tiles begin: of each image in turn, `half` places apart. And one more, for an odd last one."""
    image, part = np.divmod(np.arange(images * halves + 1), halves)
    return (image * length + part * half) * BLOCK


def slide(x: np.ndarray, w: np.ndarray, y: np.ndarray, padding: Pair) -> None:
    """x (N,H,W,C), w (O,C,KH,3) -> into y (N,P,Q,O). A negative padding leaves out rows or columns of x."""
    O, C, KH, _ = w.shape
    _, P, Q, _ = y.shape
    across = places_in(Q)
    pixels, vectors = best_tile(P * across, O, x.dtype)
    half, width, dtype = pixels // 2, vectors * lanes(x.dtype), x.dtype
    halves, group = up(P * across, half) // half, max(1, GROUP_PLACES // (P * across))
    weights = memory.zeros((up(O, width) // width, POINTS, KH, up(C, GROUP), width), dtype)
    pack(np.require(w, requirements="W"), KERNEL.astype(dtype), weights)
    blocks, length = up(C, BLOCK) // BLOCK, halves * half + (KH - 1) * across
    taps = taps_of(C, GROUP, KH, across, length)
    starts = starts_of(group, halves, half, blocks * length)
    row = memory.zeros((threads(), (across * PIXELS + 2) * BLOCK), dtype)
    values = memory.empty((threads(), POINTS, group, blocks, length, BLOCK), dtype)
    sums = memory.empty((threads(), POINTS, BAND, width), dtype)
    fill_outputs(pixels, vectors)(x, weights, taps, starts, padding, row, values, sums, y)


@compiled
def pack(w, kernel, weights):
    """KERNEL · w (O,C,KH,3) -> (panels, POINTS, KH, channels, width): as the tile reads them; zeros beyond O and C"""
    O, C, KH, _ = w.shape
    width = weights.shape[4]
    for c in range(C):
        for i in range(KH):
            for o in range(O):
                w0, w1, w2 = w[o, c, i, 0], w[o, c, i, 1], w[o, c, i, 2]
                panel, lane = o // width, o % width
                for point in range(POINTS):
                    value = kernel[point, 0] * w0 + kernel[point, 1] * w1 + kernel[point, 2] * w2
                    weights[panel, point, i, c, lane] = value


@cache
def fill_outputs(pixels: int, vectors: int) -> Any:
    """The kernel behind `slide`, for one shape of tile: the images shared out among the threads."""

    @compiled_parallel
    def fill(x, weights, taps, starts, padding, row, values, sums, y):
        for worker in prange(len(row)):
            fill_share(pixels, vectors, worker, x, weights, taps, starts, padding, row, values, sums, y)

    return fill


@compiled
def fill_share(pixels, vectors, worker, x, weights, taps, starts, padding, row, values, sums, y):
    """One worker's share of the images, a group at a time."""
    pixels, vectors = literally(pixels), literally(vectors)  # compile anew for every shape of tile
    _, P, Q, O = y.shape
    panels, _, KH, _, width = weights.shape
    workers, _, group, blocks, length, _ = values.shape
    across, image, half = (Q + PIXELS - 1) // PIXELS, blocks * length * BLOCK, pixels // 2
    halves, band = (P * across + half - 1) // half, BAND // half
    flat_x, flat_w, flat_y = x.reshape(-1), weights.reshape(-1), y.reshape(-1)
    row, values, sums = row[worker], values[worker].reshape(-1), sums[worker].reshape(-1)
    begin, end = share_of(worker, workers, len(x))
    x_share = x[0].size * 2 // (POINTS * halves) + 1  # of the next group, to be fetched beside each tile
    for n in range(begin, end, group):
        count = min(group, end - n)
        for g in range(count):
            spread(
                flat_x, (n + g) * x[0].size, x.shape, padding, row,
                values, g * image, group * image, P + KH - 1, across, length,
            )  # fmt: skip
        next_x = (n + count) * x[0].size
        for panel in range(panels):
            for first in range(0, count * halves, band):
                last = min(first + band, count * halves)
                for point in range(POINTS):
                    for h in range(first, last, 2):
                        if panel == 0:
                            fetch(flat_x, next_x, x_share)
                            next_x += x_share
                        output_tile(
                            pixels, vectors, values, point * group * image + starts[h], starts[h + 1] - starts[h], taps,
                            flat_w, (panel * POINTS + point) * weights[0, 0].size,
                            sums, (point * BAND + (h - first) * half) * width, width,
                        )  # fmt: skip
                for g in range(first // halves, (last - 1) // halves + 1):
                    at = max(first - g * halves, 0) * half
                    gather(
                        sums, (g * halves * half + at - first * half) * width, width,
                        flat_y, (n + g) * P * Q * O, panel * width, O, Q,
                        at, min((last - g * halves) * half, P * across), across,
                    )  # fmt: skip


@compiled
def spread(x, x_at, x_shape, padding, row, values, at, plane, rows, across, length):
    """An image x (H,W,C) -> its values at the points, which lie `plane` apart: (blocks, rows · across, BLOCK) each"""
    _, H, W, C = x_shape
    vector = VECTOR_BYTES // x.itemsize
    left, skip = max(padding[1], 0), max(-padding[1], 0)
    columns = min(W - skip, row.size // BLOCK - left)
    for r in range(rows):
        inside = 0 <= r - padding[0] < H
        for c in range(0, C, BLOCK):
            target = at + (c // BLOCK * length + r * across) * BLOCK
            if not inside:
                for point in range(POINTS):
                    values[target + point * plane : target + point * plane + across * BLOCK] = 0
                continue
            source = x_at + ((r - padding[0]) * W + skip) * C + c
            copy_pixels(x, source, C, row, left * BLOCK, columns, min(BLOCK, C - c))
            for place in range(across):
                for v in range(0, BLOCK, vector):
                    from_row, to_place = place * PIXELS * BLOCK + v, target + place * BLOCK + v
                    input_at_points(row, from_row, BLOCK, values, to_place, plane)


@compiled
def gather(sums, at, width, y, y_at, o, O, Q, begin, end, across):
    """Sums at the points -> the pixels of places begin to end of an image y, and its channels from o on."""
    vector = VECTOR_BYTES // y.itemsize
    edge = np.empty(PIXELS * vector, y.dtype)
    p, place = begin // across, begin % across
    for _ in range(begin, end):
        q = place * PIXELS
        target = y_at + (p * Q + q) * O + o
        for v in range(0, min(width, O - o), vector):
            if q + PIXELS <= Q and o + v + vector <= O:
                pixels_from_points(sums, at + v, BAND * width, y, target + v, O)
            else:
                pixels_from_points(sums, at + v, BAND * width, edge, 0, vector)
                for pixel in range(min(PIXELS, Q - q)):
                    for c in range(min(vector, O - o - v)):
                        y[target + pixel * O + v + c] = edge[pixel * vector + c]
        at += width
        place += 1
        if place == across:
            p, place = p + 1, 0


def grad_w(gy: np.ndarray, x: np.ndarray, gw: np.ndarray, padding: Pair) -> None:
    """gy (N,P,Q,O), x (N,H,W,C) -> into gw (O,C,KH,3)"""
    O, C, KH, _ = gw.shape
    _, P, Q, _ = gy.shape
    dtype, across, group = x.dtype, places_in(Q), max(1, GROUP_PLACES // (P * places_in(Q)))
    channels, vectors = best_tile(min(C, BLOCK), O, dtype)
    width = vectors * lanes(dtype)
    panels, blocks, length = up(O, width) // width, up(C, BLOCK) // BLOCK, (P + KH - 1) * across
    taps = taps_of(C, channels, KH, across, length)
    row = memory.zeros((threads(), (across * PIXELS + 2) * BLOCK), dtype)
    gy_row = memory.zeros((threads(), across * PIXELS * BLOCK), dtype)
    values = memory.empty((threads(), POINTS, group, blocks, length, BLOCK), dtype)
    gy_values = memory.empty((threads(), POINTS, panels, group, P * across, width), dtype)
    sums = memory.empty((threads(), POINTS, panels, KH, up(C, channels), width), dtype)
    add_weights(channels, vectors)(x, gy, taps, padding, row, gy_row, values, gy_values, sums)
    collect(sums, KERNEL.astype(dtype), gw)


@cache
def add_weights(channels: int, vectors: int) -> Any:
    """The kernel behind `grad_w`, for one shape of tile: each thread's images into its own sums."""

    @compiled_parallel
    def add(x, gy, taps, padding, row, gy_row, values, gy_values, sums):
        for worker in prange(len(sums)):
            add_share(channels, vectors, worker, x, gy, taps, padding, row, gy_row, values, gy_values, sums)

    return add


@compiled
def add_share(channels, vectors, worker, x, gy, taps, padding, row, gy_row, values, gy_values, sums):
    """One worker's share of the images, added into its own sums, a group at a time."""
    channels, vectors = literally(channels), literally(vectors)
    workers, _, panels, KH, _, width = sums.shape
    _, P, Q, _ = gy.shape
    _, _, group, blocks, length, _ = values.shape
    across, image, places = (Q + PIXELS - 1) // PIXELS, blocks * length * BLOCK, gy_values.shape[4]
    flat_x, flat_gy = x.reshape(-1), gy.reshape(-1)
    row, gy_row, values = row[worker], gy_row[worker], values[worker].reshape(-1)
    gy_values, sums = gy_values[worker].reshape(-1), sums[worker].reshape(-1)
    panel_size = group * places * width
    sums[:] = 0
    begin, end = share_of(worker, workers, len(x))
    calls = POINTS * panels * len(taps)  # of weight_tile for a group; each has its share of the next to fetch
    x_share, gy_share = group * x[0].size // calls + 1, group * gy[0].size // calls + 1
    for n in range(begin, end, group):
        count = min(group, end - n)
        for g in range(count):
            spread(
                flat_x, (n + g) * x[0].size, x.shape, padding, row,
                values, g * image, group * image, P + KH - 1, across, length,
            )  # fmt: skip
            spread_gradient(
                flat_gy, (n + g) * gy[0].size, gy.shape, gy_row,
                gy_values, g * places * width, panels * panel_size, panel_size, width, across,
            )  # fmt: skip
        next_x, next_gy = (n + count) * x[0].size, (n + count) * gy[0].size
        for point in range(POINTS):
            for panel in range(panels):
                for tap in range(len(taps)):
                    fetch(flat_x, next_x, x_share)
                    fetch(flat_gy, next_gy, gy_share)
                    next_x, next_gy = next_x + x_share, next_gy + gy_share
                    weight_tile(
                        channels, vectors, values, point * group * image + taps[tap], image,
                        gy_values, (point * panels + panel) * panel_size, places * width, width, count, places,
                        sums, ((point * panels + panel) * len(taps) + tap) * channels * width,
                    )  # fmt: skip


@compiled
def spread_gradient(gy, gy_at, gy_shape, row, values, at, plane, panel_size, width, across):
    """An image gy (P,Q,O) -> its values at the points, `plane` apart, as (panels, places, width) each"""
    _, P, Q, O = gy_shape
    vector = VECTOR_BYTES // gy.itemsize
    for p in range(P):
        for o in range(0, O, BLOCK):
            copy_pixels(gy, gy_at + p * Q * O + o, O, row, 0, Q, min(BLOCK, O - o))
            for v in range(0, min(BLOCK, O - o), vector):
                target = at + (o + v) // width * panel_size + p * across * width + (o + v) % width
                for place in range(across):
                    source = place * PIXELS * BLOCK + v
                    gradient_at_points(row, source, BLOCK, values, target + place * width, plane)


@compiled
def collect(sums, kernel, gw):
    """KERNELᵀ · the workers' sums (workers, POINTS, panels, KH, channels, width), added in order -> gw (O,C,KH,3)"""
    O, C, KH, KW = gw.shape
    workers, _, panels, _, _, width = sums.shape
    part = np.empty((KW, width), gw.dtype)
    for panel in range(panels):
        for c in range(C):
            for i in range(KH):
                part[:] = 0
                for worker in range(workers):
                    for point in range(POINTS):
                        for j in range(KW):
                            for lane in range(width):
                                part[j, lane] += kernel[point, j] * sums[worker, point, panel, i, c, lane]
                for lane in range(min(width, O - panel * width)):
                    for j in range(KW):
                        gw[panel * width + lane, c, i, j] = part[j, lane]
