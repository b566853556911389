"""Convolution with half the multiplications. Its results at all shapes: test_cpu_conv2d.py and test_rungs.py."""

from fractions import Fraction

import numpy as np
import pytest

import tinyres_kernels.array as array
from tinyres_kernels.cpu import conv2d, conv2d_grad_w, winograd


def exact(matrix):
    return np.array([[Fraction(value).limit_denominator(24) for value in row] for row in matrix])


INPUT, KERNEL, OUTPUT = (exact(m) for m in (winograd.INPUT, winograd.KERNEL, winograd.OUTPUT))
six, three, four = (np.array([Fraction(v) for v in a]) for a in ((3, -1, 4, 1, -5, 9), (2, 7, -1), (8, -2, 8, 1)))


def test_the_matrices_make_four_outputs_of_a_row():
    """In exact fractions: y = OUTPUT · ((KERNEL · w) ⊙ (INPUT · x)) is the sliding sum."""
    y = OUTPUT @ ((KERNEL @ three) * (INPUT @ six))
    assert list(y) == [six[q : q + 3] @ three for q in range(4)]


def test_their_transposes_make_the_gradient_of_a_kernel():
    gw = KERNEL.T @ ((OUTPUT.T @ four) * (INPUT @ six))
    assert list(gw) == [six[j : j + 4] @ four for j in range(3)]


@pytest.mark.parametrize(
    ("kernel", "stride", "columns", "pays"),
    [
        ((3, 3), (1, 1), 32, True),
        ((1, 3), (1, 1), 7, True),
        ((3, 3), (1, 1), 3, True),  # 6 multiplications instead of 9
        ((3, 3), (1, 1), 2, False),  # 6 instead of 6
        ((3, 3), (1, 1), 5, True),  # 12 instead of 15
        ((3, 1), (1, 1), 32, False),
        ((3, 5), (1, 1), 32, False),
        ((3, 3), (1, 2), 32, False),
        ((3, 3), (2, 1), 32, False),
    ],
)
def test_where_it_pays(kernel, stride, columns, pays):
    assert winograd.pays(kernel, stride, columns) == pays


@pytest.mark.parametrize("channels", [16, 64])
def test_rounding_errors_are_small(channels):
    """In float32, relative to the result's size: below 2e-6 (the header measured 5e-7 to 1e-6)."""
    random = np.random.default_rng(channels)
    x, gy = random.standard_normal((2, 8, channels, 16, 16)).astype(np.float32)
    w = random.standard_normal((channels, channels, 3, 3)).astype(np.float32)
    exact_x, exact_w, exact_gy = (a.astype(np.float64) for a in (x, w, gy))
    for result, wanted in (
        (conv2d(x, w, (1, 1), (1, 1)), array.conv2d(exact_x, exact_w, (1, 1), (1, 1))),
        (
            conv2d_grad_w(gy, x, w.shape, (1, 1), (1, 1)),
            array.conv2d_grad_w(exact_gy, exact_x, w.shape, (1, 1), (1, 1)),
        ),
    ):
        assert 1e-8 < np.sqrt(np.mean((result - wanted) ** 2) / np.mean(wanted**2)) < 2e-6
