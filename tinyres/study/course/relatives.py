"""Lesson 12: relatives: the Highway gate, the dense concatenation."""

import numpy as np

from tinyres.models import densenet, highway
from tinyres.ops.cat import Cat
from tinyres.ops.multiply import Multiply
from tinyres.study.course.lesson import Lesson

lesson = Lesson(12, "relatives")


@lesson.backward(
    forward=lambda H, T, x: H * T + x * (1 - T),
    gradients="H T x",
    inputs=lambda rng: (rng.standard_normal((3, 4)), rng.uniform(0.1, 0.9, (3, 4)), rng.standard_normal((3, 4))),
    hints=(
        "Product rule, three times. T is in both terms, so its gradient has two parts.",
        "gH = gy·T, gT = gy·(H − x), gx = gy·(1 − T).",
    ),
    library=(highway.Highway.forward, Multiply.backward),
)
def highway_backward(gy, H, T, x):
    """y = H·T + x·(1 − T), a Highway layer once H and T are computed. All (N, M) -> gH, gT, gx (N, M)"""
    return gy * T, gy * (H - x), gy * (1 - T)


highway_gate = lesson.choose(
    "highway_gate",
    question="y = H(x)·T(x) + x·(1 − T(x)). What does the layer do where T = 0?",
    options={
        "a": ("It passes x; its derivative is the identity.", "H·0 + x·1 = x."),
        "b": ("It is the plain layer H(x).", "that is T = 1. (One often reads it the wrong way round.)"),
        "c": ("Its output is 0.", "x·(1 − 0) = x stays."),
        "d": ("It is a residual block, H(x) + x.", "H is multiplied by T = 0."),
    },
    right="a",
    hints=("Put T = 0 into the formula.", "H·0 + x·(1 − 0)"),
)


@lesson.backward(
    forward=lambda a, b: np.concatenate([a, b], 1),
    gradients="a b",
    inputs=lambda rng: (rng.standard_normal((2, 2, 2, 3)), rng.standard_normal((2, 5, 2, 3))),
    hints=(
        "Nothing is computed, values are only put side by side. Cut gy where forward glued.",
        "A = a.shape[1]; gy[:, :A] and gy[:, A:].",
    ),
    mistakes=(
        (
            lambda gy, a, b: (gy, gy),
            "all of gy is handed to both: each gets only the channels that it gave. (An addition would hand on all.)",
        ),
        (
            lambda gy, a, b: (gy[: len(a)], gy[len(a) :]),
            "gy is cut along axis 0, the images: the channels are axis 1.",
        ),
        (
            lambda gy, a, b: (gy[:, : b.shape[1]], gy[:, b.shape[1] :]),
            "gy is cut after b's number of channels; a comes first, so after a.shape[1].",
        ),
        (
            lambda gy, a, b: (gy[:, -a.shape[1] :], gy[:, : b.shape[1]]),
            "the two are taken from the wrong ends: a comes first.",
        ),
    ),
    library=(Cat.backward,),
)
def concat_backward(gy, a, b):
    """y = a and b side by side along the channels, as in a DenseNet. a (N, A, H, W), b (N, B, H, W) -> ga, gb"""
    return gy[:, : a.shape[1]], gy[:, a.shape[1] :]


@lesson.function(
    inputs=lambda rng: tuple(int(n) for n in rng.integers(4, 40, 3)),
    hints=(
        "Each layer adds k channels to all that came before it.",
        "The l-th layer (from 1) sees k0 + k·(l − 1); behind the last there are k0 + k·layers.",
    ),
    mistakes=(
        (lambda k0, k, n: k0 + k * (n - 1), "that is what the last layer *sees*; its own k channels come on top."),
        (lambda k0, k, n: k0 + k * (n + 1), "that is one layer too many."),
        (lambda k0, k, n: k0 * k * n, "the channels are put side by side: they add up."),
        (lambda k0, k, n: k, "that is one layer's own output; a dense block keeps everything before it, too."),
        (lambda k0, k, n: k0 * 2**n, "each layer adds k channels; it does not double them."),
    ),
    library=(densenet.DenseLayer,),
)
def dense_channels(k0, k, layers):
    """A dense block: k0 channels come in, each of `layers` layers adds k -> how many channels come out."""
    return k0 + k * layers


shortcut_signs = lesson.choose(
    "shortcut_signs",
    question="A residual block adds, y = F(x) + x; a dense layer concatenates, y = [F(x), x]. What holds of their "
    "backward passes?",
    options={
        "a": (
            "Adding hands the same gy to both ways; concatenating cuts gy in two.",
            "so in a DenseNet each way has a gradient of its own, and in a ResNet they share one.",
        ),
        "b": ("Both hand the same gy to both ways.", "of a concatenation each side gets its own part of gy alone."),
        "c": ("Both cut gy in two.", "an addition hands on all of gy, to both."),
        "d": ("Adding halves gy for each way.", "∂(F + x)/∂x = 1, not 1/2."),
    },
    right="a",
    hints=("Look at residual_add_backward and concat_backward.", "gy, gy against gy[:, :A], gy[:, A:]"),
)
