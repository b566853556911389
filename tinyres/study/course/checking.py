"""Lesson 3: gradient checking: slopes measured on forward, and how a check can be blind."""

import numpy as np

from tinyres.check import slopes
from tinyres.study.course.lesson import Lesson

lesson = Lesson(3, "gradient checking")


@lesson.function(
    inputs=lambda rng: (np.exp, float(rng.uniform(0.5, 2)), 0.1),
    hints=("Step to both sides of x, and divide by how far the two points are apart.", "(f(x + h) − f(x − h)) / (2·h)"),
    mistakes=(
        (
            lambda f, x, h: (f(x + h) - f(x)) / h,
            "a forward difference: its error is of order h, the central one's of order h². Step to both sides.",
        ),
        (lambda f, x, h: (f(x) - f(x - h)) / h, "a backward difference: step to both sides of x."),
        (lambda f, x, h: (f(x + h / 2) - f(x - h / 2)) / h, "here the steps are ±h, not ±h/2."),
    ),
    library=(slopes.central,),
)
def central_difference(f, x, h):
    """f a function of a number, x and h numbers -> the slope of f at x by central differences with steps ±h."""
    return (f(x + h) - f(x - h)) / (2 * h)


def _cubes(x):
    return float((x**3).sum())


def _element_by_element(f, x):
    slopes = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-4
        slopes[index] = (f(x + step) - f(x - step)) / 2e-4
    return slopes


@lesson.function(
    tolerance=1e-5,
    inputs=lambda rng: (_cubes, rng.uniform(0.5, 2, (2, 3))),
    hints=(
        "Move one element at a time, in a copy of x; every other stays where it is.",
        "for index in np.ndindex(x.shape): make a copy of x, moved[index] += h, and so on. h = 1e-4 or so.",
    ),
    mistakes=(
        (
            lambda f, x: np.array((f(x + 1e-5) - f(x - 1e-5)) / 2e-5),
            "all elements are moved at once, which gives one number, the sum of all the slopes. Move one at a time.",
        ),
        (
            lambda f, x: np.full(x.shape, _element_by_element(f, x).sum()),
            "all elements are moved at once: each entry is the sum of all the slopes. Move one at a time.",
        ),
        (lambda f, x: _element_by_element(f, x) / 2, "half of it: divided by 2·h, but moved by h only."),
        (
            lambda f, x: _element_by_element(f, x).T.reshape(x.shape),
            "the slopes are right but in the wrong places: write each to the index that was moved.",
        ),
    ),
    library=(slopes.moved, slopes.central),
)
def numerical_gradient(f, x):
    """f: an array -> a number; x (N, M) in float64 -> ∂f/∂x (N, M), measured by differences. x must stay as it is."""
    h, gradient = 1e-4, np.zeros_like(x)
    for index in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += h
        behind[index] -= h
        gradient[index] = (f(ahead) - f(behind)) / (2 * h)
    return gradient


def _draw_check(rng):
    def forward(x):
        return np.tanh(x).sum(1)

    def backward(gy, x):
        return gy[:, None] * (1 - np.tanh(x))  # not quite the slope of tanh: so the two numbers differ

    return forward, backward, rng.standard_normal((4, 3)), rng.standard_normal(4), rng.standard_normal((4, 3)), 1e-3


def _dot(a, b):
    return float((a * b).sum())


def _along(forward, x, d, h):
    return (forward(x + h * d) - forward(x - h * d)) / (2 * h)


@lesson.function(
    tolerance=1e-7,
    inputs=_draw_check,
    hints=(
        "What backward claims is ⟨gx, d⟩, one number. What forward does is an array like y; weigh it with gy.",
        "(backward(gy, x) * d).sum(), and (gy * (forward(x + h * d) - forward(x - h * d)) / (2 * h)).sum().",
    ),
    mistakes=(
        (
            lambda forward, backward, x, gy, d, h: (
                _dot(backward(np.ones_like(gy), x), d),
                float(_along(forward, x, d, h).sum()),
            ),
            "gy is not used: with ones in its place the check is blind for softmax and batch norm.",
        ),
        (
            lambda forward, backward, x, gy, d, h: (
                _dot(gy, _along(forward, x, d, h)),
                _dot(backward(gy, x), d),
            ),
            "the right two numbers, but exchanged: backward's claim comes first.",
        ),
        (
            lambda forward, backward, x, gy, d, h: (
                _dot(backward(gy, x), d),
                _dot(gy, (forward(x + h * d) - forward(x)) / h),
            ),
            "a one-sided difference: its error is of order h, the central one's of order h².",
        ),
    ),
    library=(slopes.compare,),
)
def directional_check(forward, backward, x, gy, d, h):
    """forward: x -> y and backward: gy, x -> gx are functions of arrays; d is a direction for x, gy has a weight for
    each element of y -> (claimed, measured): how Σ gy·y changes along d, as backward has it, and by central differences
    with steps ±h·d.
    """
    claimed = (backward(gy, x) * d).sum()
    measured = (gy * (forward(x + h * d) - forward(x - h * d)) / (2 * h)).sum()
    return claimed, measured


blind_check = lesson.choose(
    "blind_check",
    question="Someone checks batch norm's backward with gy = 1 everywhere, that is, with the gradient of y.sum(). A "
    "backward that returns zeros for x passes. Why?",
    options={
        "a": (
            "The step of the differences is too large for it.",
            "no step would help: the measured slope really is 0 here.",
        ),
        "b": (
            "y sums to a constant, whatever x is, so zero is the right gradient of the sum.",
            "y = gamma·x̂ + beta, and x̂ has mean 0 in every batch: the sum cannot change. A random gy sees the bug.",
        ),
        "c": (
            "float64 rounds the slopes to 0.",
            "float64 has sixteen digits; rounding is no matter here.",
        ),
        "d": (
            "Batch norm has no gradient for x.",
            "it has one, by three ways; the loss of a network depends on it. Only this special gy hides it.",
        ),
    },
    right="b",
    hints=("What is the sum of y over a batch, for any x?", "x̂ has mean 0, so Σ y = M·beta: no x in it."),
)

step_size = lesson.predict(
    "step_size",
    question="In float64 (16 digits), the error of a central difference is about h² (the formula's) + 1e-16/h "
    "(rounding's). Which h is best? (The nearest power of ten counts.)",
    value=1e-5,
    tolerance=0.7,
    mistakes=(
        (1e-16, "then x + h is x, by rounding, and the slope is 0."),
        (1e-8, "that is the best for a one-sided difference, whose error is h + 1e-16/h; rounding is 1e-8 then."),
        (1e-10, "rounding: 1e-16/1e-10 is an error of 1e-6."),
        (1e-3, "the formula's own error is h² = 1e-6 then."),
        (1e-2, "the formula's own error is h² = 1e-4 then."),
        (0.1, "the formula's own error is h² = 1e-2 then."),
    ),
    hints=("Where are the two errors of the same size?", "h² = 1e-16/h, so h³ = 1e-16, and h = 5e-6."),
    because="h² = 1e-16/h at h = 10^(−16/3) = 5e-6; tinyres.gradcheck takes 1e-6.",
)


unseen_bug = lesson.choose(
    "unseen_bug",
    question="Four ops with a bug. One of them passes gradcheck at whatever inputs and shapes. Which?",
    options={
        "a": (
            "backward returns 1.001 times the right gradient.",
            "a relative error of 0.001 is a thousand times the tolerance, and float64 measures nine digits.",
        ),
        "b": (
            "A variance is divided by M − 1 in place of M, in forward and in backward alike.",
            "backward is the true derivative of what forward computes. That forward should compute something else, no "
            "gradient check can know: compare its values with numbers that you trust.",
        ),
        "c": (
            "Of a weight (O, I), backward returns the gradient transposed.",
            "for O = I the shapes agree, but the numbers do not; else the shapes give it away.",
        ),
        "d": (
            "backward computes the right gradient, and does it in place, in gy.",
            "no number is wrong, but gradcheck looks at gy before and after.",
        ),
    },
    right="b",
    hints=(
        "A gradient check holds backward against forward. What if both are wrong?",
        "Which backward is the derivative of its own forward, and leaves everything else alone?",
    ),
)


@lesson.bug(
    question="This is the backward of y = tanh(x). Which line is wrong?",
    bug="slope = 1 - y",
    mended="slope = 1 - y**2",
    innocent={
        "def ": "gy and x are all it needs.",
        "y = ": "tanh's slope is most easily had from its output.",
        "gx = ": "chain rule: what comes, times the slope.",
        "return": "gx has the shape of x.",
    },
    hints=(
        "Write down the derivative of tanh. In terms of what is it?",
        "tanh' = 1 − tanh²: the square is of the output.",
    ),
)
def tanh_bug(gy, x):
    y = np.tanh(x)
    slope = 1 - y
    gx = gy * slope
    return gx
