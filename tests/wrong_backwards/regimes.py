"""Wrong beyond a border only, and derivatives that are sums or have several factors."""

import numpy as np

from wrong_backwards.forwards import TARGETS, X, bce, leaky, positive, sigmoid, silu
from wrong_backwards.wrong import Wrong

MANY = ((6, 6),)
PAIR = ((5, 6), (5, 6))
K = np.sqrt(2 / np.pi)


def gelu_parts(x):
    t = np.tanh(K * (x + 0.044715 * x**3))
    return (1 + t) / 2, x / 2 * (1 - t**2) * K


def gelu(x):
    return x * gelu_parts(x)[0]


def gelu_back(gy, x):
    """The 3 of x³ forgotten."""
    first, second = gelu_parts(x)
    return gy * (first + second * (1 + 0.044715 * x**2))


def huber(a, b):
    d = np.abs(a - b)
    return np.where(d < 1, d**2 / 2, d - 0.5).mean()


def huber_unsigned(gy, a, b):
    d = a - b
    return gy * np.where(np.abs(d) < 1, d, 1) / d.size, None


def hinge(s, t):
    return np.maximum(0, 1 - s * t).mean()


REGIMES = (
    Wrong(
        "leaky relu: slopes exchanged", leaky, lambda gy, x: gy * np.where(x > 0, 0.1, 1), ((4, 6),), "slopes exchanged"
    ),
    Wrong("sigmoid: 1 + y", sigmoid, lambda gy, x: gy * sigmoid(x) * (1 + sigmoid(x)), ((7,),), "y·(1_−_y) y·(1_+_y)"),
    Wrong("gelu: 3 forgotten", gelu, gelu_back, ((4, 5),), "0.044715 lacks_a_factor_3"),
    Wrong("gelu: first term only", gelu, lambda gy, x: gy * gelu_parts(x)[0], ((4, 5),), "missing x³"),
    Wrong(
        "silu·b: term missing",
        lambda a, b: silu(a) * b,
        lambda gy, a, b: (gy * b * sigmoid(a), None),
        (*X, *X),
        "product_rule missing input_1",
    ),
    Wrong("huber: sign forgotten", huber, huber_unsigned, PAIR, "input_1_<_−1 −1/30 1/30"),
    Wrong("huber: not clipped", huber, lambda gy, a, b: (gy * (a - b) / 30, None), PAIR, "_>_1: sign(x_−_input_1)/30"),
    Wrong(
        "hinge: no mask",
        hinge,
        lambda gy, s, t: (-gy * t / 30, None),
        ((5, 6), np.where(np.arange(30).reshape(5, 6) % 3, 1.0, -1.0)),
        "x·input_1_>_1 derivative_is_0",
    ),
    Wrong(
        "clip: one side only",
        lambda x: np.clip(x, -0.5, 0.5),
        lambda gy, x: gy * (x < 0.5),
        MANY,
        "x_<_−1/2|x_<_c derivative_is_0",
    ),
    Wrong(
        "threshold: another",
        lambda x: np.where(x > 0.5, x, 0),
        lambda gy, x: gy * (x > 0),
        MANY,
        "0_<_x_< derivative_is_0",
    ),
    Wrong(
        "bce: sign of one term",
        bce,
        lambda gy, p, t: (gy * (-t / p - (1 - t) / (1 - p)) / 12, None),
        (np.random.default_rng(5).uniform(0.1, 0.9, (4, 3)), TARGETS),
        "input_1_=_0",
    ),
    Wrong(
        "sigmoid(z)·tanh(c): c for tanh(c)",
        lambda c, z: sigmoid(z) * np.tanh(c),
        lambda gy, c, z: (gy * sigmoid(z) * (1 - c**2), None),
        (*X, *X),
        "(1_−_x²) where (1_−_tanh²(x)) due",
    ),
    Wrong(
        "log cosh: tanh forgotten",
        lambda a, b: np.log(np.cosh(a - b)).mean(),
        lambda gy, a, b: (gy * (a - b) / 12, None),
        (*X, *X),
        "tanh(x_−_input_1) uses",
    ),
    Wrong(
        "hardsigmoid: /6",
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        lambda gy, x: gy * (np.abs(x) < 3),
        MANY,
        "1/6 forgotten",
    ),
    Wrong(
        "(1 − x)²·log x: one term",
        lambda x: (1 - x) ** 2 * np.log(x),
        lambda gy, x: gy * (1 - x) ** 2 / x,
        (positive(3, 4) / 4,),
        "missing (1_−_x)·log(x)",
    ),
)
