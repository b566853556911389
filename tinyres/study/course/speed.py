"""Lesson 13: making it fast."""

import numpy as np

from tinyres.study.course.lesson import Lesson
from tinyres_kernels.array.conv2d import im2col, slide

lesson = Lesson(13, "making it fast")

multiply_adds = lesson.predict(
    "multiply_adds",
    question="A 3×3 convolution, 16 to 16 channels, stride 1, padding 1, on one 32×32 image: how many multiply-adds?",
    value=32 * 32 * 16 * 16 * 9,
    tolerance=0,
    mistakes=(
        (16 * 16 * 9, "that is for one output pixel: there are 32·32 of them."),
        (30 * 30 * 16 * 16 * 9, "with padding 1 the map stays 32×32."),
        (32 * 32 * 16 * 9, "each output channel sums over all 16 input channels."),
        (2 * 32 * 32 * 16 * 16 * 9, "a multiply-add counts once; these are multiplications and additions apart."),
        (32 * 32 * 16 * 16, "times the nine places of the kernel."),
    ),
    hints=("For each output value: C·KH·KW. How many output values are there?", "32·32·16 · 16·3·3"),
    because="32·32·16 outputs, 16·9 multiply-adds each: 2.36 million.",
)

im2col_memory = lesson.predict(
    "im2col_memory",
    question="How many times as large as x are the im2col rows of a 3×3 convolution, stride 1, padding 1?",
    value=9,
    tolerance=0,
    mistakes=(
        (3, "3×3 is nine places."),
        (1, "each value is written down once for each window that sees it."),
        (2, "each value is seen by 3×3 windows."),
        (6, "three rows times three columns."),
    ),
    hints=("How many windows see one pixel?", "Each window has nine places; as many windows as pixels."),
    because="as many rows as pixels, C·9 values in each: so they are written for a few images at a time.",
)

half_size = lesson.predict(
    "half_size",
    question="A stage has half the map in both directions and twice the channels, in and out. How does the cost of "
    "a 3×3 layer in it compare with one of the stage before (as a ratio)?",
    value=1,
    tolerance=0,
    mistakes=(
        (0.5, "the channels double twice: C and O."),
        (2, "the map is halved in both directions: a quarter of the pixels."),
        (0.25, "a quarter of the pixels, but four times the work at each: C and O double."),
        (4, "four times the work at each pixel, but a quarter of the pixels."),
    ),
    hints=("How many pixels, and what does each cost?", "1/4 of the pixels, 2·2 times the work"),
    because="1/4 · 2 · 2 = 1: the paper's rule of design.",
)


def _product(x, w, rows_order, weights):
    k = w.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3)).transpose(rows_order)
    N, P, Q = len(x), x.shape[2] - k + 1, x.shape[3] - k + 1
    return (windows.reshape(N * P * Q, -1) @ weights).reshape(N, P, Q, -1)


_GOOD = (0, 2, 3, 1, 4, 5)


@lesson.function(
    inputs=lambda rng: (rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((2, 3, 3, 3))),
    hints=(
        "rows = im2col(x, k): (N·P·Q, C·k·k). w as a matrix: w.reshape(O, −1). Their product is (N·P·Q, O).",
        "(rows @ w.reshape(O, -1).T).reshape(N, P, Q, O).transpose(0, 3, 1, 2)",
    ),
    mistakes=(
        (
            lambda x, w: _product(x, w, _GOOD, w.reshape(len(w), -1).T).reshape(2, 2, 4, 4),
            "(N, P, Q, O) was *reshaped* to (N, O, P, Q), which mixes values up: transpose it, (0, 3, 1, 2).",
        ),
        (
            lambda x, w: _product(x, w, _GOOD, w.reshape(-1, len(w))).transpose(0, 3, 1, 2),
            "w.reshape(−1, O) does not transpose: w.reshape(O, −1).T.",
        ),
        (
            lambda x, w: _product(x, w, (0, 2, 3, 4, 5, 1), w.reshape(len(w), -1).T).transpose(0, 3, 1, 2),
            "the rows are in the order (i, j, c) and the weights in (c, i, j): they must agree.",
        ),
        (
            lambda x, w: _product(x, w, _GOOD, w[:, :, ::-1, ::-1].reshape(len(w), -1).T).transpose(0, 3, 1, 2),
            "the kernel is flipped: x[p + i] meets w[i].",
        ),
    ),
    library=(slide, im2col),
)
def conv_as_product(x, w):
    """x (N, C, H, W), w (O, C, k, k), stride 1, no padding -> y (N, O, P, Q), by one matrix product."""
    O, C, k, _ = w.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))  # (N, C, P, Q, k, k)
    N, _, P, Q = windows.shape[:4]
    rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(N * P * Q, C * k * k)
    return (rows @ w.reshape(O, -1).T).reshape(N, P, Q, O).transpose(0, 3, 1, 2)


tile_fetches = lesson.predict(
    "tile_fetches",
    question="A product of two large matrices, n×n, is computed by tiles of 16×16: to add up one tile of Y, tiles of A "
    "and B are fetched from slow memory, pair after pair. How many numbers are fetched for each multiply-add?",
    value=2 / 16,
    tolerance=0,
    mistakes=(
        (2, "that is without tiles: one number of A and one of B for each multiply-add."),
        (1 / 16, "A's tile and B's: two are fetched."),
        (2 / 16**2, "a pair of tiles, 2·16² numbers, serves 16³ multiply-adds, not 16⁴."),
        (1 / 16**2, "a pair of tiles, 2·16² numbers, serves 16³ multiply-adds."),
        (2 * 16**2, "that is for a pair of tiles; how many multiply-adds do they serve?"),
        (16, "each number fetched serves 16 multiply-adds: ask the other way round, and for two numbers."),
        (8, "turn it around: numbers for each multiply-add."),
    ),
    hints=(
        "Take one pair of tiles. How many numbers are fetched, and how many multiply-adds do they allow?",
        "2·16² numbers, 16·16·16 multiply-adds.",
    ),
    because="2·16² / 16³ = 2/16: the larger the tile, the less has to be fetched.",
)

relu_bound = lesson.choose(
    "relu_bound",
    question="What limits the speed of ReLU on a large activation?",
    options={
        "a": ("The comparison with 0.", "a processor does several of them in the time that one value takes to arrive."),
        "b": (
            "The memory: each value is read and written once, and next to nothing is computed.",
            "so ReLU is done on the way, in batch norm's own pass (the fused ops).",
        ),
        "c": ("The branch: x > 0 or not.", "there is none: max is a single instruction on a whole vector."),
        "d": ("Python.", "one call of NumPy for millions of values: its overhead is gone."),
    },
    right="b",
    hints=("How many operations for each byte?", "One for each eight bytes; a core could do a hundred."),
)
