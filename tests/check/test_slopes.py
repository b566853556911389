"""tinyres/check/slopes.py: the measured slopes are the real ones; kinks are seen, and hide nothing else."""

import numpy as np
import pytest

from tinyres import Op, Tensor, gradcheck
from tinyres.check.gradcheck import GradientError
from tinyres.check.slopes import Claim, central, complex_step, relative_error, smooth_outputs
from tinyres.nn import functional as F
from tinyres.ops.max_pool2d import MaxPool2d
from tinyres.ops.relu import ReLU

WITH_ZEROS = np.array([-1.5, 0.0, 2.0, 0.0, 0.75, -0.25, 3.0, 1.0])  # two kinks of eight


def leaf(values):
    return Tensor(np.array(values, dtype=float), requires_grad=True)


def cube(x):
    return x**3


x, d = np.array([0.5, -2.0]), np.array([1.0, 0.25])
SLOPE = 3 * x**2 * d


def test_central_is_off_by_the_step_squared():
    errors = [np.abs(central(cube, [x], 0, d, step) - SLOPE).max() for step in (1e-1, 1e-2)]
    np.testing.assert_allclose(errors, [1e-2, 1e-4], rtol=1e-3)  # h²·f‴/6·d³, f‴ = 6


def test_the_complex_step_is_exact():
    np.testing.assert_allclose(complex_step(cube, [x], 0, d), SLOPE, rtol=1e-15)


def test_relative_error():
    assert relative_error(100.0, 101.0) == 1 / 101
    assert relative_error(1e-3, 2e-3) == pytest.approx(1e-3)
    assert relative_error(10.0, 11.0, floor=100) == 0.01
    assert relative_error(np.nan, 1.0) == relative_error(1.0, np.nan) == np.inf


def smooth(forward, *values):
    x = np.array(values)
    claim = Claim(forward, lambda gy: (gy,), (x,), forward(x), forward)
    return smooth_outputs(claim, 0, np.full(x.shape, 0.7), 1e-6).tolist()


def test_kinks_are_seen_near_and_exactly():
    unlucky = 0.7e-6 / 3  # a third of the way: there 2·E(h/2) = E(h), and only D shows it
    at = [0.0, 1e-7, -2e-7, unlucky, 4e-7, -6e-7]  # within the step, on either side
    assert smooth(lambda x: np.maximum(x, 0), *at) == [False] * 6
    assert smooth(lambda x: np.maximum(x, 0), -1.0, 1.0, 1e-5, -1e-5) == [True] * 4


def test_curves_are_no_kinks():
    assert smooth(np.exp, 0.0, 5.0, -5.0) == [True] * 3
    assert smooth(lambda x: 1 / x, 0.05, 3.0, -0.1) == [True] * 3


# ---- a right backward at kinks passes, a wrong one does not ----------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize(
    ("fn", "values"),
    [
        (F.relu, WITH_ZEROS),
        (F.relu, np.zeros((2, 3))),
        (lambda x: F.relu(x).sum(), WITH_ZEROS),  # one output, and that on a kink: the gradient is taken beside
        (lambda x: F.relu(x).sum(), np.zeros(4)),
        (lambda x: F.max_pool2d(x, 2), np.ones((1, 2, 4, 4))),
        (lambda x: F.max_pool2d(x, 3, 2, 1), np.arange(36.0).reshape(1, 1, 6, 6) // 4),
        (lambda x: F.max_pool2d(x, 3, 1, 1).sum(), np.ones((1, 1, 4, 4))),
    ],
    ids=["relu", "relu, all 0", "sum", "sum, all 0", "ties everywhere", "some ties", "sum of ties"],
)
def test_kinks_do_not_fail(fn, values, method, full):
    assert gradcheck(fn, [leaf(values)], method=method, full=full) < 1e-8


class WrongBesideKinks(ReLU):
    """Wrong in an element that lies on no kink."""

    def backward(self, gy):
        gx = super().backward(gy)
        gx[2] *= 1.01
        return gx


class NoGate(ReLU):
    """Right wherever x is positive: only the other side of the kink shows it."""

    def backward(self, gy):
        return gy.copy()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("wrong", [WrongBesideKinks, NoGate])
@pytest.mark.parametrize("reduce", [lambda y: y, lambda y: y.sum()], ids=["vector", "sum"])
def test_kinks_hide_nothing_else(wrong, reduce, full):
    with pytest.raises(GradientError) as error:
        gradcheck(lambda x: reduce(wrong()(x)), [leaf(WITH_ZEROS)], full=full)
    assert error.value.op == wrong.__name__
    assert WITH_ZEROS[error.value.index] != 0


def test_a_bug_that_only_the_other_side_shows():
    """What a checker cannot see: it looks at these inputs, and no others."""
    assert gradcheck(lambda x: NoGate()(x), [leaf([0.5, 1.0, 2.0])]) < 1e-8


def test_a_wrong_max_pool_with_ties():
    class Everywhere(MaxPool2d):
        """The gradient at the first place of every window, wherever the maximum stood."""

        def backward(self, gy):
            self.saved = (np.zeros_like(self.saved[0]),)
            return super().backward(gy)

    some_ties = np.arange(36.0).reshape(1, 1, 6, 6) // 4
    with pytest.raises(GradientError) as error:
        gradcheck(lambda x: Everywhere((2, 2), (2, 2), (0, 0), False)(x), [leaf(some_ties)])
    assert error.value.op == "Everywhere"


def test_a_function_with_kinks_everywhere():
    class Jagged(Op):
        def forward(self, x):
            return np.abs(x * 1e7 - np.round(x * 1e7))

        def backward(self, gy):
            return gy * 1e7

    with pytest.raises(ValueError, match="most outputs lie on kinks, or curve too much for a step of 1e-06"):
        gradcheck(lambda x: Jagged()(x), [leaf(WITH_ZEROS)])


def test_large_outputs_leave_larger_errors():
    """y is 1e8, so a difference is good to 1e8 · 1e-16 / 1e-6 = 1e-2, and a slope of 1 to two digits."""
    assert gradcheck(lambda x: x + 1e8, [leaf(WITH_ZEROS)]) < 1e-6
    with pytest.raises(GradientError):
        gradcheck(lambda x: NoGate()(x) * 1e8, [leaf(WITH_ZEROS)])
