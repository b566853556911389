"""Lesson 7: batch norm, and its whole backward."""

import numpy as np

from tinyres.nn import functional as F
from tinyres.ops.batch_norm import BatchNorm
from tinyres.study.course.lesson import Lesson
from tinyres_kernels.array.batch_norm import batch_norm, batch_norm_grad_sums, batch_norm_grad_x, batch_norm_statistics

lesson = Lesson(7, "batch norm")
EPS = 1e-5


def _centred(x, axes=(0, 2, 3), ddof=0, eps=EPS, power=0.5):
    return (x - x.mean(axes, keepdims=True)) / (x.var(axes, keepdims=True, ddof=ddof) + eps) ** power


def _scaled(xhat, gamma, beta):
    return gamma[:, None, None] * xhat + beta[:, None, None]


def _draw_norm(rng):
    return rng.standard_normal((3, 2, 3, 4)) * 0.05 + 1, rng.standard_normal(2), rng.standard_normal(2)


@lesson.function(
    inputs=_draw_norm,
    hints=(
        "Mean and variance of each *channel*: over images and pixels, axes (0, 2, 3), with keepdims=True. gamma and "
        "beta have one number for each channel.",
        "x̂ = (x − mean) / √(var + 1e-5); y = gamma[:, None, None]·x̂ + beta[:, None, None].",
    ),
    mistakes=(
        (
            lambda x, gamma, beta: _scaled(_centred(x, 0), gamma, beta),
            "normalised over the batch only: the pixels count as well, axes (0, 2, 3).",
        ),
        (
            lambda x, gamma, beta: _scaled(_centred(x, (2, 3)), gamma, beta),
            "each image is normalised by itself (that is instance norm): axes (0, 2, 3).",
        ),
        (
            lambda x, gamma, beta: _scaled(_centred(x, None), gamma, beta),
            "one mean and variance for everything: each channel has its own, axes (0, 2, 3).",
        ),
        (
            lambda x, gamma, beta: _scaled(_centred(x, ddof=1), gamma, beta),
            "the unbiased variance (n − 1, ddof=1): batch norm divides by n.",
        ),
        (
            lambda x, gamma, beta: _scaled(
                (x - x.mean((0, 2, 3), keepdims=True)) / (x.std((0, 2, 3), keepdims=True) + EPS), gamma, beta
            ),
            "eps is added to the standard deviation: it belongs under the root, √(var + eps).",
        ),
        (lambda x, gamma, beta: _centred(x), "this is x̂: gamma·x̂ + beta is missing."),
    ),
    library=(BatchNorm.forward, batch_norm_statistics, batch_norm),
)
def batch_norm_forward(x, gamma, beta):
    """x (N, C, H, W), gamma, beta (C) -> y (N, C, H, W): each channel to mean 0, variance 1; times gamma, plus beta.

    var is the mean of (x − mean)²; add eps = 1e-5 to it before taking the root.
    """
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return gamma[:, None, None] * (x - mean) / np.sqrt(var + 1e-5) + beta[:, None, None]


def _norm_gradients(gy, x, gamma, *, gamma_in_ggamma=False, columns=True):
    """Batch norm's gradients, with a mistake."""
    xhat = _centred(x)
    gbeta, ggamma, M = gy.sum((0, 2, 3)), (gy * xhat).sum((0, 2, 3)), x.size / len(gamma)
    at = np.s_[:, None, None] if columns else np.s_[:]
    inner = gy - gbeta[at] / M - xhat * ggamma[at] / M
    gx = gamma[:, None, None] / np.sqrt(x.var((0, 2, 3), keepdims=True) + EPS) * inner
    return gx, ggamma * gamma if gamma_in_ggamma else ggamma, gbeta


@lesson.backward(
    forward=lambda x, gamma, beta: _scaled(_centred(x), gamma, beta),
    gradients="x gamma beta",
    inputs=lambda rng: (rng.standard_normal((3, 2, 3, 2)), rng.standard_normal(2) + 2, rng.standard_normal(2)),
    hints=(
        "x reaches y along three ways: directly, through the mean, and through the variance. Two corrections are "
        "subtracted from gy: its mean, and x̂ times the mean of gy·x̂.",
        "gx = gamma/std · (gy − mean(gy) − x̂·mean(gy·x̂)), the means over (0, 2, 3) with keepdims=True; "
        "ggamma = Σ gy·x̂, gbeta = Σ gy.",
    ),
    mistakes=(
        (
            lambda gy, x, gamma, beta: _norm_gradients(gy, x, gamma, columns=False),
            "in gx, the sums (C) are used without [:, None, None], so that NumPy sets them beside the last axis (W), "
            "not beside the channels.",
        ),
    ),
    library=(BatchNorm.backward, batch_norm_grad_sums, batch_norm_grad_x),
)
def batch_norm_backward(gy, x, gamma, beta):
    """y as in batch_norm_forward. gy, x (N, C, H, W), gamma, beta (C) -> gx (N, C, H, W), ggamma (C), gbeta (C)"""
    axes = (0, 2, 3)
    std = np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    xhat = (x - x.mean(axes, keepdims=True)) / std
    g = gy - gy.mean(axes, keepdims=True) - xhat * (gy * xhat).mean(axes, keepdims=True)
    return gamma[:, None, None] / std * g, (gy * xhat).sum(axes), gy.sum(axes)


norm_gradient_sum = lesson.predict(
    "norm_gradient_sum",
    question="gx is batch norm's gradient of one channel's 1,000 values. What is the sum of gx over all of them?",
    value=0,
    mistakes=(
        (1, "add the same number to every x: y does not change at all, so this sum must be 0."),
        (1000, "add the same number to every x: y does not change at all, so this sum must be 0."),
        (-1, "add the same number to every x: y does not change at all, so this sum must be 0."),
    ),
    hints=("What happens to y if the same number is added to every x?", "Nothing: the mean takes it away again."),
    because="a shift of the whole channel does not change y, so the slope along it, Σ gx, is 0.",
)

pair_gradient = lesson.predict(
    "pair_gradient",
    question="A channel has two values in its batch, 3 and 7; gy is 5 and −2; gamma = 1, eps = 0. What is the gradient "
    "of the 3?",
    value=0,
    mistakes=(
        (2.5, "that is the direct way alone, gy/std; x changes mean and variance, too."),
        (5, "that is gy: the division by std is missing, and x changes mean and variance, too."),
        (1.75, "the way through the variance is missing: −x̂·mean(gy·x̂)/std, with x̂ = −1 and 1."),
        (3.5, "gy − mean(gy) is not yet all of it: −x̂·mean(gy·x̂), and a division by std."),
        (0.75, "the way through the mean is missing: −mean(gy)/std."),
        (1.5, "the way through the mean is missing, −mean(gy); and then a division by std."),
    ),
    hints=("What is x̂ of the two? And what would it be of 3.1 and 7?", "−1 and 1, whatever the two values are."),
    because="two different values always become −1 and 1, so that nothing can be learned from how large they are.",
)


@lesson.function(
    inputs=lambda rng: (rng.standard_normal(3), rng.standard_normal(3), 0.1),
    hints=(
        "Momentum 0.1 here means: a tenth of the new. (It is torch's convention; other frameworks have it the other "
        "way round.)",
        "(1 − momentum)·running + momentum·batch",
    ),
    mistakes=(
        (
            lambda running, batch, m: m * running + (1 - m) * batch,
            "the two weights are swapped: momentum weighs the *new* value here, as in torch.",
        ),
        (lambda running, batch, m: batch, "this forgets what came before."),
        (lambda running, batch, m: (running + batch) / 2, "the weights are 1 − momentum and momentum, not 1/2 each."),
    ),
    library=(F.batch_norm,),
)
def running_mean(running, batch, momentum):
    """running, batch (C), a number -> the new running mean (C); momentum as in torch, where 0.1 is usual."""
    return (1 - momentum) * running + momentum * batch


@lesson.bug(
    question="Batch norm's gradient of x. Which line is wrong?",
    bug="via_var = ",
    mended="via_var = xhat * (gy * xhat).mean(axes, keepdims=True)",
    innocent={
        "def ": "beta has no part in gx.",
        "axes = ": "a channel's values: all images, all pixels.",
        "std = ": "eps is under the root.",
        "xhat = ": "that is x̂.",
        "via_mean = ": "through the mean, every x gets an equal share of Σ gy.",
        "return": "all three ways pass gamma/std.",
    },
    hints=("Σ gx·x̂ must be (nearly) 0, too: scaling a channel does not change y.", "x̂ must appear twice in a term."),
)
def norm_bug(gy, x, gamma):
    axes = (0, 2, 3)
    std = np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    xhat = (x - x.mean(axes, keepdims=True)) / std
    via_mean = gy.mean(axes, keepdims=True)
    via_var = (gy * xhat).mean(axes, keepdims=True)
    return gamma[:, None, None] / std * (gy - via_mean - via_var)
