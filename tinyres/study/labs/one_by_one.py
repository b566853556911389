"""A 1×1 convolution is one linear layer, applied at every position.

Claim. On an image with one channel, a 1×1 convolution multiplies by a number. On an image of 6×6 pixels with 32
channels, O kernels of 1×1×32 give

    y[n, :, p, q] = W · x[n, :, p, q]        W (O, 32), the same at each of the 36 positions

Source. Lin, Chen & Yan 2014, "Network in Network", section 3.1.

Reproduced if the convolution and the linear layer at the 36 positions agree to 1e-12 in float64, in the output and both
gradients, for 200 random images and weights; and if with one channel the output is w·x exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.random import generator
from tinyres.study.labs.drawing import VERMILION
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "a 1×1 convolution is a linear layer at each of the 36 positions"
MINUTES = 0.1

SIDE, CHANNELS, KERNELS, AGREEMENT = 6, 32, 16, 1e-12


def as_convolution(x: np.ndarray, w: np.ndarray, gy: np.ndarray) -> list[np.ndarray]:
    """x (N,C,6,6), w (O,C), gy (N,O,6,6) -> y, gx, gw of a 1×1 convolution"""
    images, kernels = Tensor(x, requires_grad=True), Tensor(w[:, :, None, None], requires_grad=True)
    y = F.conv2d(images, kernels)
    y.backward(gy)
    assert images.grad is not None and kernels.grad is not None
    return [y.numpy(), images.grad, kernels.grad[:, :, 0, 0]]


def as_linear_layers(x: np.ndarray, w: np.ndarray, gy: np.ndarray) -> list[np.ndarray]:
    """The same by a linear layer at each position; the gradients of w add up over the positions."""
    weight = Tensor(w, requires_grad=True)
    y, gx = np.empty_like(gy), np.empty_like(x)
    for p in range(SIDE):
        for q in range(SIDE):
            pixel = Tensor(x[:, :, p, q], requires_grad=True)
            out = F.linear(pixel, weight)
            out.backward(gy[:, :, p, q])
            y[:, :, p, q], gx[:, :, p, q] = out.numpy(), pixel.grad
    assert weight.grad is not None
    return [y, gx, weight.grad]


def compute(bench: Workbench) -> Results:
    draws = generator(bench.settings.seed, "one-by-one")
    largest = np.zeros(3)
    for _ in range(bench.choose(200, 2000)):
        x = draws.standard_normal((1, CHANNELS, SIDE, SIDE))
        w, gy = draws.standard_normal((KERNELS, CHANNELS)), draws.standard_normal((1, KERNELS, SIDE, SIDE))
        pairs = zip(as_convolution(x, w, gy), as_linear_layers(x, w, gy), strict=True)
        largest = np.maximum(largest, [np.abs(a - b).max() for a, b in pairs])
    one = draws.standard_normal((1, 1, SIDE, SIDE))
    scaled = F.conv2d(Tensor(one), Tensor(np.full((1, 1, 1, 1), 1.75))).numpy()
    return {
        "differences": dict(zip(("y", "gx", "gw"), largest.tolist(), strict=True)),
        "one_channel": float(np.abs(scaled - 1.75 * one).max()),
        "example": {"x": x[0].tolist(), "w": w.tolist(), "y": as_convolution(x, w, gy)[0][0].tolist()},
    }


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [[name, f"{value:.1e}"] for name, value in results["differences"].items()]
    return ("", "largest difference"), [*rows, ["y of one channel, against w·x", f"{results['one_channel']:.1e}"]]


def verdict(results: Results) -> Verdict:
    largest = max(results["differences"].values())
    held = largest <= AGREEMENT and results["one_channel"] == 0
    return Verdict(held, f"the two differ by {largest:.1g} at most; one channel is multiplied by a number exactly")


def draw(results: Results, figure: Figure) -> None:
    """The 32 numbers at one position, the matrix, and its 16 outputs; the matrix is the same at each position."""
    x, w, y = (np.array(results["example"][name]) for name in ("x", "w", "y"))
    p, q = 2, 3
    image, column, matrix, out = figure.subplots(1, 4, width_ratios=(4, 1.2, 6, 1.2))
    image.imshow(x[0], cmap="viridis")
    image.add_patch(_frame(q - 0.5, p - 0.5))
    image.set(title=f"x: channel 0 of {CHANNELS}", xlabel="column q", ylabel="row p")
    for axes, values, title in (
        (column, x[:, p, q, None], f"x[:, {p}, {q}]"),
        (matrix, w, f"W, the same at all {SIDE * SIDE} positions"),
        (out, y[:, p, q, None], f"y[:, {p}, {q}]"),
    ):
        axes.imshow(values, cmap="viridis", aspect="auto")
        axes.set_title(title)
    column.set(xticks=[], ylabel="input channel")
    matrix.set(xlabel="input channel", ylabel="output channel")
    out.set(xticks=[], ylabel="output channel")
    largest = max(results["differences"].values())
    figure.suptitle(
        f"A 1×1 convolution and a linear layer at each position: they differ by {largest:.0e} at most\n"
        "(dark: small, bright: large, in each panel from its least to its largest number)",
        fontweight="bold",
    )


def _frame(x: float, y: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, fill=False, edgecolor=VERMILION, linewidth=3)
