"""Convolution with a quarter of the multiplications. Results at all shapes: test_cpu_conv2d.py and test_rungs.py."""

import numpy as np
import pytest

import tinyres_kernels.array as array
from tinyres_kernels.cpu import conv2d, conv2d_grad_w
from tinyres_kernels.cpu.conv2d_winograd import ALPHA, BETA, INPUT, KERNEL, OUTPUT, PAIRS, winograd_pays

PAIRS, INPUT, KERNEL, OUTPUT = (np.array(matrix, float) for matrix in (PAIRS, INPUT, KERNEL, OUTPUT))
SIX, THREE, FOUR = np.array([3, -1, 4, 1, -5, 9]), np.array([2, 7, -1]), np.array([8, -2, 8, 1])


def at_points(halves, numbers):
    return PAIRS @ halves @ numbers


def test_the_matrices_make_four_outputs_of_a_row():
    y = OUTPUT @ PAIRS @ (at_points(KERNEL, THREE) * at_points(INPUT, SIX))
    np.testing.assert_allclose(y, [SIX[q : q + 3] @ THREE for q in range(4)], atol=1e-12)


def test_their_transposes_make_the_gradient_of_a_kernel():
    gw = KERNEL.T @ PAIRS @ (at_points(OUTPUT.T, FOUR) * at_points(INPUT, SIX))
    np.testing.assert_allclose(gw, [SIX[j : j + 4] @ FOUR for j in range(3)], atol=1e-12)


def test_the_matrices_evaluate_polynomials():
    """At 0, α, −α, β, −β and ∞, where the value is the leading coefficient."""
    points = np.array([0, ALPHA, -ALPHA, BETA, -BETA])
    np.testing.assert_allclose(at_points(OUTPUT.T, FOUR), [*np.polyval(FOUR[::-1], points), FOUR[-1]], atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "pays"),
    [
        ((3, 3), (1, 1), (32, 32), True),
        ((3, 3), (1, 1), (7, 7), True),  # 144 multiplications instead of 441
        ((3, 3), (1, 1), (3, 2), True),  # 36 instead of 54
        ((3, 3), (1, 1), (2, 2), False),  # 36 instead of 36
        ((3, 3), (1, 1), (1, 32), False),  # 288 instead of 288
        ((1, 3), (1, 1), (32, 32), False),
        ((3, 5), (1, 1), (32, 32), False),
        ((3, 3), (1, 2), (32, 32), False),
        ((3, 3), (2, 1), (32, 32), False),
    ],
)
def test_where_it_pays(kernel, stride, size, pays):
    assert winograd_pays(kernel, stride, size) == pays


@pytest.mark.parametrize("channels", [16, 64])
def test_rounding_errors_are_small(channels):
    """In float32, relative to the result's size: below 2e-6 (the header measured 5e-7 to 8e-7)."""
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
