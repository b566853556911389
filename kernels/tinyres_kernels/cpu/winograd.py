"""3×3 convolution with a quarter of the multiplications, for a stride of 1: Winograd's F(4×4, 3×3).

**The idea.** Take a row: six neighbouring numbers x and three weights w make four outputs y, with 12 multiplications.
Read as coefficients, they are polynomials, and a product of polynomials is known from its values at enough points. At
a point it takes *one* multiplication, and six points are enough: 0, a, −a, b, −b and ∞ (the leading coefficient). In
two dimensions it is a square of 6×6 numbers x, and 36 multiplications make 4×4 outputs instead of 144:

    y = OUTPUT · ((KERNEL · w · KERNELᵀ) ⊙ (INPUT · x · INPUTᵀ)) · OUTPUTᵀ

INPUT evaluates x at the points, KERNEL w, and OUTPUT goes from the points back to pixels. INPUT is needed once for all
output channels, KERNEL once for all images, and OUTPUT after the products of all input channels have been added up.
Between them stands, at each of the 36 points, a convolution with a kernel of 1×1, done by the tile of conv2d.py:

    x ── spread ──> values (points, channels in, places) ── output_tile ──> sums (points, places, channels out)
                                                                                      └──── gather ────> y

A *place* stands for a square of 4×4 output pixels; those of some images lie in one run, so that a tile may take in
several small images. Input channels lie in blocks of 16, as in layout.py, output channels in *panels* of the tile's
width. `length` counts the places of a block, and `plane` the numbers between one point's values and the next's.

The gradient of x is a convolution with the turned kernel. The gradient of w goes backwards, every matrix transposed,
and is summed over places and images: gw = KERNELᵀ · Σ (OUTPUTᵀ · gy · OUTPUT) ⊙ (INPUT · x · INPUTᵀ) · KERNEL.

**What it costs.** Rounding errors two to three times those of plain summation, as large numbers arise that cancel
later: in float32 5e-7 to 8e-7 of a result's size for 16 to 64 channels. With the usual points 0, ±1, ±2 it would be
twice that; c and 1/c keep errors small (Alam, Anderson, Barabasz & Gregg 2022). And a NaN or an infinity reaches all
pixels of every place that sees it.

**Speed**, as a share of what plain sums could reach at most (570 GFLOP/s on two cores of an AMD EPYC with AVX-512; the
limit here would be 400 %), batch 128, float32, everything from call to return, medians of one `tinyres bench`. What is
saved is paid for with transforms; the more channels, the less they matter beside the multiplications:

                            forward   grad_x   grad_w
    16 channels at 32×32     139 %     146 %    134 %
    32 channels at 16×16     228 %     228 %    188 %
    64 channels at 8×8       238 %     242 %    216 %

Winograd 1980, "Arithmetic complexity of computations"; for convolutional networks: Lavin & Gray 2016, §4.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import Any

import numpy as np
from numba import literally, prange

from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled, compiled_parallel
from tinyres_kernels.cpu.host import VECTOR_BYTES, best_tile, lanes, threads, up
from tinyres_kernels.cpu.layout import laid_out_shape, lay_out, share_of
from tinyres_kernels.cpu.tile import BLOCK, GROUP, Matrix, combination, fetch, output_tile, weight_tile

Pair = tuple[int, int]

a, b = 2 / 3, 3 / 2
# At p and at −p a polynomial's even part is the same, and its odd part has the opposite sign. So the matrices below go
# to (or from) the even and odd parts at a and b, and PAIRS makes their sums and differences: the values at ±a and ±b.
PAIRS = (
    (1, 0, 0, 0, 0, 0),
    (0, 1, 1, 0, 0, 0),
    (0, 1, -1, 0, 0, 0),
    (0, 0, 0, 1, 1, 0),
    (0, 0, 0, 1, -1, 0),
    (0, 0, 0, 0, 0, 1),
)
INPUT = (
    (a**2 * b**2, 0, -(a**2) - b**2, 0, 1, 0),
    (0, 0, -(b**2), 0, 1, 0),
    (0, -a * b**2, 0, a, 0, 0),
    (0, 0, -(a**2), 0, 1, 0),
    (0, -b * a**2, 0, b, 0, 0),
    (0, a**2 * b**2, 0, -(a**2) - b**2, 0, 1),
)
at_a, at_b = 2 * a**2 * (a**2 - b**2), 2 * b**2 * (b**2 - a**2)
KERNEL = (
    (1 / (a**2 * b**2), 0, 0),
    (1 / at_a, 0, a**2 / at_a),
    (0, a / at_a, 0),
    (1 / at_b, 0, b**2 / at_b),
    (0, b / at_b, 0),
    (0, 0, 1),
)
OUTPUT = (
    (1, 1, 0, 1, 0, 0),
    (0, 0, a, 0, b, 0),
    (0, a**2, 0, b**2, 0, 0),
    (0, 0, a**3, 0, b**3, 1),
)


def transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


input_at_points = combination(PAIRS, INPUT)
kernel_at_points = combination(PAIRS, KERNEL)
pixels_from_points = combination(OUTPUT, PAIRS)
gradient_at_points = combination(PAIRS, transposed(OUTPUT))
kernel_from_points = combination(transposed(KERNEL), PAIRS)

SIDE, SQUARE = len(OUTPUT), len(INPUT)  # of a place, in pixels; and of what it sees
POINTS = SQUARE**2
APART = BLOCK  # numbers between one point's values and the next's: were they 4096 bytes apart, they would fight for the
# same few lines of the cache
GROUP_PLACES = 32  # at least as many are worked on together, so that the weights are fetched from afar less often
SUM_PLACES = 32  # of these, so many that their sums stay near


def pays(kernel: tuple[int, ...], stride: Pair, size: tuple[int, ...]) -> bool:
    """Does this file serve the kernel, and multiply less than the direct way to make an output of that size?"""
    return tuple(kernel) == (3, 3) and stride == (1, 1) and POINTS * places_in(size) < 9 * size[0] * size[1]


def whole_places(size: tuple[int, ...]) -> Pair:
    """The size of an image, rounded up to whole places."""
    return up(size[0], SIDE), up(size[1], SIDE)


def places_in(size: tuple[int, ...]) -> int:
    return prod(whole_places(size)) // SIDE**2


def slide(x: np.ndarray, w: np.ndarray, y: np.ndarray, padding: Pair) -> None:
    """x (N,H,W,C), w (O,C,3,3) -> into y (N,P,Q,O). A negative padding leaves out rows and columns of x."""
    O, C, _, _ = w.shape
    _, P, Q, _ = y.shape
    places = places_in((P, Q))
    group = max(1, GROUP_PLACES // places)
    pixels, vectors = best_tile(group * places, O, x.dtype)
    width, dtype = vectors * lanes(x.dtype), x.dtype
    length = up(group * places, pixels)
    weights = memory.empty((up(O, width) // width, POINTS, up(C, GROUP) + 1, width), dtype)  # + 1: see APART
    pack(np.require(w, requirements="W"), weights)
    taps = taps_of(C, GROUP, length)
    laid = memory.zeros((threads(), *laid_out_shape(C, whole_places((P, Q)), (3, 3), (1, 1))), dtype)
    values = memory.empty((threads(), POINTS, up(C, BLOCK) * length + APART), dtype)
    sums = memory.empty((threads(), POINTS, SUM_PLACES * width + APART), dtype)
    fill_outputs(pixels, vectors)(x, weights, taps, group, padding, laid, values, sums, y)


@cache
def taps_of(C: int, step: int, length: int) -> np.ndarray:
    """For every step of channels where in values (blocks, length, BLOCK) the first place finds it."""
    c = np.arange(0, C, step)
    return c // BLOCK * length * BLOCK + c % BLOCK


@compiled_parallel
def pack(w, weights):
    """w (O,C,3,3) at the points -> (panels, POINTS, channels, width): as the tile reads them; zeros beyond O and C"""
    panels, width, vector = len(weights), weights.shape[3], VECTOR_BYTES // w.itemsize
    for k in prange(panels * width // vector):
        pack_vector(w, k * vector, weights)


@compiled
def pack_vector(w, o, weights):
    """The same for a vector of output channels, from o on."""
    vector = VECTOR_BYTES // w.itemsize
    O, C, KH, KW = w.shape
    _, _, channels, width = weights.shape
    square, flat, point = np.zeros(KH * KW * vector, w.dtype), weights.reshape(-1), channels * width
    for c in range(channels):
        if c == C:
            square[:] = 0
        if c < C:
            for lane in range(min(vector, O - o)):
                for i in range(KH):
                    for j in range(KW):
                        square[(i * KW + j) * vector + lane] = w[o + lane, c, i, j]
        at = o // width * POINTS * point + c * width + o % width
        kernel_at_points(square, 0, KW * vector, vector, flat, at, SQUARE * point, point)


@cache
def fill_outputs(pixels: int, vectors: int) -> Any:
    """The kernel behind `slide`, for one shape of tile: the images shared out among the threads."""

    @compiled_parallel
    def fill(x, weights, taps, group, padding, laid, values, sums, y):
        for worker in prange(len(laid)):
            fill_share(pixels, vectors, worker, x, weights, taps, group, padding, laid, values, sums, y)

    return fill


@compiled
def fill_share(pixels, vectors, worker, x, weights, taps, group, padding, laid, values, sums, y):
    """One worker's share of the images, a group at a time."""
    pixels, vectors = literally(pixels), literally(vectors)  # compile anew for every shape of tile
    _, P, Q, O = y.shape
    panels, _, _, width = weights.shape
    workers, blocks, rows, _, columns, _ = laid.shape
    places = rows // SIDE * (columns // SIDE)
    flat_x, flat_w, flat_y = x.reshape(-1), weights.reshape(-1), y.reshape(-1)
    plane, sum_plane = values.shape[2], sums.shape[2]
    length = (plane - APART) // (blocks * BLOCK)
    laid, values, sums = laid[worker], values[worker].reshape(-1), sums[worker].reshape(-1)
    flat_laid = laid.reshape(-1)
    x_share = x[0].size * pixels // (POINTS * places) + 1  # of the next group, to be fetched beside each tile
    y_share = y[0].size * pixels // (POINTS * places) + 1
    begin, end = share_of(worker, workers, len(x))
    for n in range(begin, end, group):
        count = min(group, end - n)
        for g in range(count):
            lay_out(flat_x, n + g, x.shape, flat_laid, laid.shape, 0, rows, (1, 1), padding)
            spread(flat_laid, laid.shape, values, g * places * BLOCK, length, plane)
        next_x, next_y = (n + count) * x[0].size, n * y[0].size
        for panel in range(panels):
            for first in range(0, count * places, SUM_PLACES):
                last = min(first + SUM_PLACES, count * places)
                for point in range(POINTS):
                    for place in range(first, last, pixels):
                        if panel == 0:
                            fetch(flat_x, next_x, x_share)
                            fetch(flat_y, next_y, y_share)
                            next_x, next_y = next_x + x_share, next_y + y_share
                        output_tile(
                            pixels, vectors, values, point * plane + place * BLOCK, taps,
                            flat_w, (panel * POINTS + point) * weights[0, 0].size,
                            sums, point * sum_plane + (place - first) * width, width,
                        )  # fmt: skip
                gather(
                    sums, sum_plane, width, flat_y, n * P * Q * O + panel * width, y.shape, first, last, panel * width
                )


@compiled
def spread(laid, laid_shape, values, at, length, plane):
    """A laid-out image -> its values at the points, which lie `plane` apart: (blocks, places, BLOCK) each"""
    blocks, rows, _, columns, _ = laid_shape
    vector = VECTOR_BYTES // values.itemsize
    for block in range(blocks):
        target = at + block * length * BLOCK
        for row in range(0, rows - 2, SIDE):
            for column in range(0, columns - 2, SIDE):
                source = ((block * rows + row) * columns + column) * BLOCK
                for v in range(0, BLOCK, vector):
                    input_at_points(
                        laid, source + v, columns * BLOCK, BLOCK,
                        values, target + v, SQUARE * plane, plane,
                    )  # fmt: skip
                target += BLOCK


@compiled
def gather(sums, plane, width, y, y_at, y_shape, first, last, o):
    """Sums at the points (POINTS, places, width) -> the pixels of places first to last, counted from y_at on."""
    _, P, Q, O = y_shape
    vector = VECTOR_BYTES // y.itemsize
    down, across = (P + SIDE - 1) // SIDE, (Q + SIDE - 1) // SIDE
    edge = np.empty(SIDE * SIDE * vector, y.dtype)
    g, place = first // (down * across), first % (down * across)
    row, column = place // across, place % across
    for at in range(0, (last - first) * width, width):
        p, q = row * SIDE, column * SIDE
        target = y_at + ((g * P + p) * Q + q) * O
        for v in range(0, min(width, O - o), vector):
            if p + SIDE <= P and q + SIDE <= Q and o + v + vector <= O:
                pixels_from_points(sums, at + v, SQUARE * plane, plane, y, target + v, Q * O, O)
            else:
                pixels_from_points(sums, at + v, SQUARE * plane, plane, edge, 0, SIDE * vector, vector)
                for i in range(min(SIDE, P - p)):
                    for j in range(min(SIDE, Q - q)):
                        for c in range(min(vector, O - o - v)):
                            y[target + (i * Q + j) * O + v + c] = edge[(i * SIDE + j) * vector + c]
        column += 1
        if column == across:
            row, column = row + 1, 0
        if row == down:
            g, row = g + 1, 0


def grad_w(gy: np.ndarray, x: np.ndarray, gw: np.ndarray, padding: Pair) -> None:
    """gy (N,P,Q,O), x (N,H,W,C) -> into gw (O,C,3,3)"""
    O, C, _, _ = gw.shape
    _, P, Q, _ = gy.shape
    # More places for one pass over the sums; but not so many that a point's values leave the second-level cache.
    places, together = places_in((P, Q)), min(max(64, 16384 // C), 128)
    dtype, group = x.dtype, max(1, together // places)
    length = group * places
    channels, vectors = best_tile(min(C, BLOCK), O, dtype)
    width = vectors * lanes(dtype)
    panels = up(O, width) // width
    taps = taps_of(C, channels, length)
    laid = memory.zeros((threads(), *laid_out_shape(C, whole_places((P, Q)), (3, 3), (1, 1))), dtype)
    gy_laid = memory.zeros((threads(), *laid_out_shape(O, whole_places((P, Q)), (1, 1), (1, 1))), dtype)
    values = memory.empty((threads(), POINTS, up(C, BLOCK) * length + APART), dtype)
    gy_values = memory.empty((threads(), POINTS, panels * length * width + APART), dtype)
    sums = memory.empty((threads(), POINTS, panels, up(C, channels) + 1, width), dtype)  # + 1: see APART
    add_weights(channels, vectors)(x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums)
    collect(sums, gw)


@cache
def add_weights(channels: int, vectors: int) -> Any:
    """The kernel behind `grad_w`, for one shape of tile: each thread's images into its own sums."""

    @compiled_parallel
    def add(x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums):
        for worker in prange(len(sums)):
            add_share(channels, vectors, worker, x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums)

    return add


@compiled
def add_share(channels, vectors, worker, x, gy, taps, group, padding, laid, gy_laid, values, gy_values, sums):
    """One worker's share of the images, added into its own sums, a group at a time."""
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
            spread(flat_laid, laid.shape, values, g * places * BLOCK, length, plane)
            lay_out(flat_gy, n + g, gy.shape, flat_gy_laid, gy_laid.shape, 0, rows, (1, 1), (0, 0))
            spread_gradient(flat_gy_laid, gy_laid.shape, O, gy_values, g * places * width, length, width, gy_plane)
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
def spread_gradient(laid, laid_shape, O, values, at, length, width, plane):
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
def collect(sums, gw):
    """The workers' sums (workers, POINTS, panels, channels, width), added in order, from the points -> gw (O,C,3,3)"""
    for panel in prange(sums.shape[2]):
        collect_panel(sums, panel, gw)


@compiled
def collect_panel(sums, panel, gw):
    """The same for one panel. A block of channels at a time, for large weights lie far apart in memory."""
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
