"""3×3 convolution with a quarter of the multiplications, for a stride of 1: Winograd's F(4×4, 3×3).

**The idea.** Take one row: six neighbouring numbers x and three weights w make four outputs y with 12 multiplications.
Read as coefficients, x and w are polynomials, and a product of polynomials is known from its values at enough points.
At each point it takes *one* multiplication, and six points are enough: 0, α, −α, β, −β and ∞ (the leading coefficient).
In two dimensions x is a square of 6×6 numbers, and 36 multiplications make 4×4 outputs instead of 144:

    y = OUTPUT · ((KERNEL · w · KERNELᵀ) ⊙ (INPUT · x · INPUTᵀ)) · OUTPUTᵀ

INPUT evaluates x at the points, KERNEL evaluates w, and OUTPUT goes from the points back to pixels. INPUT is needed
once for all output channels, KERNEL once for all images, and OUTPUT after the products of all input channels have been
added up. In between, each of the 36 points has a convolution with a kernel of 1×1, done by the tile of conv2d_tile.py:

    x ─ image_to_points ─> values (points, channels in, places) ─ output_tile ─> sums (points, places, channels out)
                                                                                  └─ points_to_image ─> y

A *place* is a square of 4×4 output pixels. The places of several small images follow each other, so that one tile can
take several images. Input channels lie in blocks of 16, as in conv2d_layout.py, output channels in *panels* as wide as
the tile. `length` is the number of places in a block; `plane` is how far one point's values are from the next's.

The gradient of x is a convolution with the turned kernel. The gradient of w is in conv2d_winograd_grad_w.py.

**What it costs.** Rounding errors are two to three times those of plain sums, because large numbers arise that cancel
later: in float32 5e-7 to 8e-7 of a result's size for 16 to 64 channels. With the usual points 0, ±1, ±2 they would be
twice that; c and 1/c keep errors small (Alam, Anderson, Barabasz & Gregg 2022). And a NaN or an infinity reaches all
pixels of every place that sees it.

**Speed**, as a share of what plain sums could reach at most (570 GFLOP/s on two cores of an AMD EPYC with AVX-512; the
limit here would be 400 %). Batch 128, float32, from call to return, medians of one `tinyres bench`. The transforms take
back a part of what is saved; the more channels, the less they matter beside the multiplications:

                            forward   grad_x   grad_w
    16 channels at 32×32     139 %     146 %    134 %
    32 channels at 16×16     228 %     228 %    188 %
    64 channels at 8×8       238 %     242 %    216 %

Winograd 1980, "Arithmetic complexity of computations"; for convolutional networks: Lavin & Gray 2016, §4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod

import numpy as np
from numba import literally, prange

from tinyres_kernels.contract import Array, Pair
from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.cache import compiled, compiled_parallel
from tinyres_kernels.cpu.conv2d_layout import laid_out_shape, lay_out, share_of
from tinyres_kernels.cpu.conv2d_tile import BLOCK, GROUP, combination, fetch, output_tile
from tinyres_kernels.cpu.host import VECTOR_BYTES, best_tile, lanes, threads, up

ALPHA, BETA = 2 / 3, 3 / 2
# At p and at −p a polynomial's even part is the same, and its odd part has the opposite sign. So the matrices below
# give (or take) the even and odd parts at α and β, and PAIRS makes their sums and differences: the values at ±α and ±β.
PAIRS = (
    (1, 0, 0, 0, 0, 0),
    (0, 1, 1, 0, 0, 0),
    (0, 1, -1, 0, 0, 0),
    (0, 0, 0, 1, 1, 0),
    (0, 0, 0, 1, -1, 0),
    (0, 0, 0, 0, 0, 1),
)
INPUT = (
    (ALPHA**2 * BETA**2, 0, -(ALPHA**2) - BETA**2, 0, 1, 0),
    (0, 0, -(BETA**2), 0, 1, 0),
    (0, -ALPHA * BETA**2, 0, ALPHA, 0, 0),
    (0, 0, -(ALPHA**2), 0, 1, 0),
    (0, -BETA * ALPHA**2, 0, BETA, 0, 0),
    (0, ALPHA**2 * BETA**2, 0, -(ALPHA**2) - BETA**2, 0, 1),
)
AT_ALPHA, AT_BETA = 2 * ALPHA**2 * (ALPHA**2 - BETA**2), 2 * BETA**2 * (BETA**2 - ALPHA**2)
KERNEL = (
    (1 / (ALPHA**2 * BETA**2), 0, 0),
    (1 / AT_ALPHA, 0, ALPHA**2 / AT_ALPHA),
    (0, ALPHA / AT_ALPHA, 0),
    (1 / AT_BETA, 0, BETA**2 / AT_BETA),
    (0, BETA / AT_BETA, 0),
    (0, 0, 1),
)
OUTPUT = (
    (1, 1, 0, 1, 0, 0),
    (0, 0, ALPHA, 0, BETA, 0),
    (0, ALPHA**2, 0, BETA**2, 0, 0),
    (0, 0, ALPHA**3, 0, BETA**3, 1),
)

input_at_points = combination(PAIRS, INPUT)
kernel_at_points = combination(PAIRS, KERNEL)
pixels_from_points = combination(OUTPUT, PAIRS)

SIDE, SQUARE = len(OUTPUT), len(INPUT)  # the sides of a place and of what it sees, in pixels
POINTS = SQUARE**2
# Numbers between one point's values and the next's. Were they 4096 bytes apart, they would compete for the same few
# lines of the cache.
APART = BLOCK
GROUP_PLACES = 32  # at least this many are worked on together, so that the weights are fetched from afar less often
SUM_PLACES = 32  # places whose sums are made at a time, few enough to stay in the nearest cache


def winograd_pays(kernel: tuple[int, ...], stride: Pair, size: tuple[int, ...]) -> bool:
    """Does this method serve the kernel, and does it multiply less than plain sums for an output of that size?"""
    return tuple(kernel) == (3, 3) and stride == (1, 1) and POINTS * places_in(size) < 9 * size[0] * size[1]


def whole_places(size: tuple[int, ...]) -> Pair:
    """The size of an image, rounded up to whole places."""
    return up(size[0], SIDE), up(size[1], SIDE)


def places_in(size: tuple[int, ...]) -> int:
    return prod(whole_places(size)) // SIDE**2


def winograd_conv2d(x: Array, w: Array, y: Array, padding: Pair) -> None:
    """x (N,H,W,C), w (O,C,3,3) -> into y (N,P,Q,O). A negative padding leaves out rows and columns of x."""
    O, C, _, _ = w.shape
    _, P, Q, _ = y.shape
    places = places_in((P, Q))
    group = max(1, GROUP_PLACES // places)
    pixels, vectors = best_tile(group * places, O, x.dtype)
    width, dtype = vectors * lanes(x.dtype), x.dtype
    length = up(group * places, pixels)
    weights = memory.empty((up(O, width) // width, POINTS, up(C, GROUP) + 1, width), dtype)  # + 1: see APART
    transform_weights(np.require(w, requirements="W"), weights)
    taps = channel_offsets(C, GROUP, length)
    laid = memory.zeros((threads(), *laid_out_shape(C, whole_places((P, Q)), (3, 3), (1, 1))), dtype)
    values = memory.empty((threads(), POINTS, up(C, BLOCK) * length + APART), dtype)
    sums = memory.empty((threads(), POINTS, SUM_PLACES * width + APART), dtype)
    winograd_output_kernel(pixels, vectors)(x, weights, taps, group, padding, laid, values, sums, y)


@cache
def channel_offsets(C: int, step: int, length: int) -> Array:
    """Where in values (blocks, length, BLOCK) the first place has every step-th channel."""
    c = np.arange(0, C, step)
    return c // BLOCK * length * BLOCK + c % BLOCK


@compiled_parallel
def transform_weights(w, weights):
    """w (O,C,3,3) -> its values at the points (panels, POINTS, channels, width), as the tile reads them.

    Zeros beyond O and C.
    """
    panels, width, vector = len(weights), weights.shape[3], VECTOR_BYTES // w.itemsize
    for k in prange(panels * width // vector):
        transform_weight_vector(w, k * vector, weights)


@compiled
def transform_weight_vector(w, o, weights):
    """The same for one vector of output channels, from o on."""
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
def winograd_output_kernel(pixels: int, vectors: int) -> Callable:
    """The kernel behind winograd_conv2d for one shape of tile; it shares the images out among the threads."""

    @compiled_parallel
    def fill(x, weights, taps, group, padding, laid, values, sums, y):
        for k in prange(len(laid)):
            worker = np.int64(k)  # numba takes k for signed and for unsigned, and would compile the share for both
            winograd_output_share(pixels, vectors, worker, x, weights, taps, group, padding, laid, values, sums, y)

    return fill


@compiled
def winograd_output_share(pixels, vectors, worker, x, weights, taps, group, padding, laid, values, sums, y):
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
            image_to_points(flat_laid, laid.shape, values, g * places * BLOCK, length, plane)
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
                points_to_image(
                    sums, sum_plane, width, flat_y, n * P * Q * O + panel * width, y.shape, first, last, panel * width
                )


@compiled
def image_to_points(laid, laid_shape, values, at, length, plane):
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
def points_to_image(sums, plane, width, y, y_at, y_shape, first, last, o):
    """Sums at the points (POINTS, places, width) -> the pixels of places first to last; place 0 begins at y_at."""
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
