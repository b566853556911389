"""Lesson 1: the chain rule by hand, on a chain of one-neuron layers.

z_i = w_i·a_{i−1}, a_i = s(z_i), a_0 = x, with s the sigmoid.
"""

import numpy as np

from tinyres.ops.sigmoid import Sigmoid
from tinyres.study.course.lesson import Lesson
from tinyres.study.labs import chain as lab

lesson = Lesson(1, "the chain rule by hand")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@lesson.function(
    inputs=lambda rng: (rng.standard_normal(5) * 2,),
    hints=(
        "Write s = sigmoid(z) first; the slope needs nothing but s.",
        "s' = s·(1 − s), and s is the sigmoid of z, not z itself.",
    ),
    mistakes=(
        (lambda z: z * (1 - z), "this is z·(1 − z); the formula s·(1 − s) wants s = 1/(1 + e⁻ᶻ), the output, not z."),
        (lambda z: 1 - sigmoid(z) ** 2, "1 − s² is the slope of tanh; the sigmoid's is s·(1 − s)."),
        (
            lambda z: sigmoid(sigmoid(z)) * (1 - sigmoid(sigmoid(z))),
            "the sigmoid is applied twice: s(z)·(1 − s(z)), not s(s(z))·(1 − s(s(z))).",
        ),
    ),
    library=(Sigmoid.backward,),
)
def sigmoid_slope(z):
    """z (N) -> s'(z) (N), the slope of the sigmoid s(z) = 1/(1 + e⁻ᶻ)."""
    s = 1 / (1 + np.exp(-z))
    return s * (1 - s)


def _values(x, ws):
    a, slopes = [x], []
    for w in ws:
        a.append(sigmoid(w * a[-1]))
        slopes.append(a[-1] * (1 - a[-1]))
    return a, slopes


def _draw_chain(rng):
    return float(rng.uniform(0.5, 2)), rng.uniform(0.5, 2, 4).tolist()


@lesson.function(
    inputs=_draw_chain,
    hints=(
        "Walk forward first and keep every a_i and z_i. Then multiply along the way from a_n back to w_1.",
        "x · s'(z_1) · w_2 · s'(z_2) · … · w_n · s'(z_n): n slopes, but only the weights w_2 … w_n.",
    ),
    mistakes=(
        (
            lambda x, ws: np.prod(_values(x, ws)[1]) * np.prod(ws[1:]),
            "the factor x is missing: z_1 = w_1·x, so ∂z_1/∂w_1 = x.",
        ),
        (
            lambda x, ws: x * np.prod(_values(x, ws)[1]) * np.prod(ws),
            "w_1 is a factor too many: the way ends at w_1, and ∂z_1/∂w_1 = x. Only w_2 … w_n are passed.",
        ),
        (
            lambda x, ws: np.prod(_values(x, ws)[1]) * np.prod(ws),
            "this is ∂a_n/∂x: it ends at x. At w_1 the last factor is x instead of w_1.",
        ),
        (
            lambda x, ws: x * np.prod(ws[1:]),
            "the slopes s'(z_i) are missing: each a_i = s(z_i) contributes one.",
        ),
        (
            lambda x, ws: x * np.prod(_values(x, ws)[1][:-1]) * np.prod(ws[1:]),
            "the last slope, s'(z_n), is missing.",
        ),
        (
            lambda x, ws: x * np.prod(_values(x, ws)[1][1:]) * np.prod(ws[1:]),
            "the first slope, s'(z_1), is missing.",
        ),
        (
            lambda x, ws: x * np.prod(_values(x, ws)[0][1:]) * np.prod(ws[1:]),
            "the outputs a_i are used in place of their slopes s'(z_i) = a_i·(1 − a_i).",
        ),
    ),
    library=(lab.by_product,),
)
def chain_gradient(x, ws):
    """x a number, ws = [w_1, …, w_n] -> ∂a_n/∂w_1 of the chain z_i = w_i·a_{i−1}, a_i = s(z_i), a_0 = x.

    s is the sigmoid. Multiply the factors out, from w_1 to a_n.
    """
    a, factor = x, x
    for i, w in enumerate(ws):
        a = 1 / (1 + np.exp(-w * a))
        factor *= a * (1 - a) if i == 0 else w * a * (1 - a)
    return factor


def _recursion(h, ws, slopes, g_last, shift=1):
    """Each g_i; shift=0: with the mistake of taking layer i's own weight."""
    g = [g_last] * len(ws)
    for i in reversed(range(len(ws) - 1)):
        g[i] = g[i + 1] * ws[i + shift] * slopes[i]
    return g


def _draw_recursion(rng):
    return rng.uniform(0.5, 2, 5).tolist(), rng.uniform(0.5, 2, 5).tolist(), rng.uniform(0.1, 1, 5).tolist(), 1.7


def _times_h(g, h):
    return [one * other for one, other in zip(g, h, strict=True)]


@lesson.function(
    inputs=_draw_recursion,
    hints=(
        "Begin at the end, with g_n, and go back. Each g_i comes from g_{i+1}: one weight, one slope.",
        "g[i] = g[i + 1] * ws[i + 1] * slopes[i]: the weight *after* layer i, the slope *of* layer i. Then ∂C/∂w_i = "
        "g[i] * h[i].",
    ),
    mistakes=(
        (
            lambda h, ws, slopes, g_last: _times_h(_recursion(h, ws, slopes, g_last, shift=0), h),
            "w_i is used where w_{i+1} is due: g comes back through the layer *after* i.",
        ),
        (
            lambda h, ws, slopes, g_last: _times_h(_recursion(h, ws, slopes, g_last * slopes[-1]), h),
            "f'(z_n) is counted twice: g_last is ∂C/∂z_n, which has it already.",
        ),
        (
            lambda h, ws, slopes, g_last: _times_h(_recursion(h, ws, slopes, g_last), h)[::-1],
            "the order is reversed: the first is ∂C/∂w_1, though it is computed last.",
        ),
    ),
    library=(lab.by_recursion,),
)
def g_recursion(h, ws, slopes, g_last):
    """Lists of n numbers: inputs h_i of each layer, weights w_i, slopes f'(z_i); g_last = g_n = ∂C/∂z_n.

    -> [∂C/∂w_1, …, ∂C/∂w_n], where z_i = w_i·h_i, h_{i+1} = f(z_i), and g_i = ∂C/∂z_i. Compute each g_i once.
    """
    g, gradients = g_last, [0.0] * len(ws)
    for i in reversed(range(len(ws))):
        gradients[i] = g * h[i]
        g = g * ws[i] * slopes[i - 1]
    return gradients


vanishing = lesson.predict(
    "vanishing",
    question="Ten sigmoid layers in a chain, every weight 1. How large can |∂a_10/∂x| be at most, by the largest that "
    "each slope s' can be?",
    value=0.25**10,
    mistakes=(
        (0.25, "that is one layer's largest slope; there are ten, and they multiply."),
        (2.5, "the chain rule multiplies the slopes; this is their sum."),
        (0.5**10, "s(0) = 1/2 is the sigmoid's value; its slope there is 1/2·(1 − 1/2) = 1/4."),
        (1, "the slope of a sigmoid is never 1; it is largest at z = 0."),
        (0.25**9, "that is nine layers."),
        (0.25**11, "that is eleven layers."),
    ),
    hints=("Where is s'(z) = s·(1 − s) largest, and how large is it there?", "Ten factors of 1/4."),
    because="s'(z) ≤ 1/4, and ten such factors are (1/4)¹⁰: the gradient vanishes.",
)

exploding = lesson.predict(
    "exploding",
    question="By which factor does a gradient grow on its way back through three layers whose factors w·f'(z) are all "
    "1.5?",
    value=1.5**3,
    mistakes=(
        (4.5, "the factors are multiplied, not added."),
        (1.5, "that is one layer; there are three."),
        (2.25, "that is two layers; there are three."),
        (3**1.5, "1.5³, not 3^1.5."),
        (1.5**4, "that is four layers; there are three."),
    ),
    hints=("Each layer multiplies what comes from the one after it.", "1.5 · 1.5 · 1.5"),
    because="1.5³ = 3.375. After two hundred and twenty layers float32 overflows.",
)
