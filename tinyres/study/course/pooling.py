"""Lesson 6: pooling."""

import numpy as np

from tinyres.ops.adaptive_avg_pool2d import AdaptiveAvgPool2d
from tinyres.ops.avg_pool2d import AvgPool2d
from tinyres.ops.max_pool2d import MaxPool2d
from tinyres.study.course.lesson import Lesson
from tinyres_kernels.array.max_pool2d import max_pool2d_grad_x as array_grad_x
from tinyres_kernels.reference.avg_pool2d import avg_pool2d_grad_x
from tinyres_kernels.reference.max_pool2d import max_pool2d, max_pool2d_grad_x

lesson = Lesson(6, "pooling")


def _max_pool(x, k, stride):
    return max_pool2d(x, (k, k), (stride, stride), (0, 0), False)[0]


def _avg_pool(x, k):
    N, C, H, W = x.shape
    return x.reshape(N, C, H // k, k, W // k, k).mean((3, 5))


def _draw_overlapping(rng):
    return rng.standard_normal((2, 2, 5, 5)), 3, 2 - int(rng.integers(2))


@lesson.backward(
    forward=_max_pool,
    gradients="x",
    inputs=_draw_overlapping,
    hints=(
        "Only the largest value of a window mattered to y. It gets the whole gy, the others nothing. Windows may "
        "overlap, and share a maximum.",
        "i, j = np.unravel_index(window.argmax(), window.shape); gx[n, c, p*stride + i, q*stride + j] += gy[n, c, p, "
        "q].",
    ),
    library=(MaxPool2d.backward, max_pool2d_grad_x, array_grad_x),
)
def max_pool_backward(gy, x, k, stride):
    """y = the largest of each k×k window of x, stride apart. gy (N, C, P, Q), x (N, C, H, W) -> gx (N, C, H, W)"""
    gx = np.zeros(x.shape)
    for n, c, p, q in np.ndindex(gy.shape):
        window = x[n, c, p * stride : p * stride + k, q * stride : q * stride + k]
        i, j = np.unravel_index(window.argmax(), window.shape)
        gx[n, c, p * stride + i, q * stride + j] += gy[n, c, p, q]
    return gx


@lesson.backward(
    forward=_avg_pool,
    gradients="x",
    inputs=lambda rng: (rng.standard_normal((2, 2, 4, 6)), 2),
    hints=(
        "Each x of a window had the same part in the mean. Which?",
        "gy / k², repeated k times along both axes: np.repeat, or gy.repeat(k, 2).repeat(k, 3).",
    ),
    mistakes=(
        (
            lambda gy, x, k: np.tile(gy / k**2, (k, k)),
            "np.tile sets whole copies of gy side by side, so that values arrive at the wrong places: each one must be "
            "repeated where its window lies (np.repeat).",
        ),
    ),
    library=(AvgPool2d.backward, avg_pool2d_grad_x),
)
def avg_pool_backward(gy, x, k):
    """y = the mean of each k×k window, k apart. gy (N, C, H/k, W/k), x (N, C, H, W) -> gx (N, C, H, W)"""
    return (gy / k**2).repeat(k, 2).repeat(k, 3)


@lesson.backward(
    forward=lambda x: x.mean((2, 3)),
    gradients="x",
    inputs=lambda rng: (rng.standard_normal((2, 3, 4, 5)),),
    hints=(
        "Every pixel of a map has the same part in its mean.",
        "gy[:, :, None, None] / (H·W), broadcast to x's shape.",
    ),
    library=(AdaptiveAvgPool2d.backward,),
)
def global_avg_pool_backward(gy, x):
    """y = the mean of each channel's map. gy (N, C), x (N, C, H, W) -> gx (N, C, H, W)"""
    return np.broadcast_to(gy[:, :, None, None] / (x.shape[2] * x.shape[3]), x.shape)


pooled_gradient = lesson.predict(
    "pooled_gradient",
    question="2×2 max pooling, stride 2, of a 4×4 map; gy is 1 everywhere. How many elements of gx are not 0? "
    "(No two values of the map are equal.)",
    value=4,
    tolerance=0,
    mistakes=(
        (16, "only the largest of each window gets a gradient; the others did not matter to y."),
        (1, "each window has a maximum of its own, and there are more than one."),
        (8, "one in each window, not two."),
        (12, "these are the zeros."),
    ),
    hints=("How many windows are there?", "2·2 windows, and one maximum in each."),
    because="four windows, each with one maximum: four ones, twelve zeros.",
)


@lesson.bug(
    question="The backward of max pooling with 3×3 windows that overlap (stride 1). Which line is wrong?",
    bug="gx[n, c, p + i, q + j] = ",
    mended="gx[n, c, p + i, q + j] += gy[n, c, p, q]",
    innocent={
        "def ": "gy and x are all it needs.",
        "np.zeros": "what no window chose gets 0.",
        "for ": "each window has its maximum.",
        "window = ": "stride 1: window (p, q) begins at row p, column q.",
        "i, j = ": "argmax counts through the window row by row; this is its row and column.",
        "return": "it has the shape of x.",
    },
    hints=("May one x be the largest of several windows?", "Then their gradients add up."),
)
def pool_bug(gy, x):
    gx = np.zeros(x.shape)
    for n, c, p, q in np.ndindex(gy.shape):
        window = x[n, c, p : p + 3, q : q + 3]
        i, j = divmod(window.argmax(), 3)
        gx[n, c, p + i, q + j] = gy[n, c, p, q]
    return gx
