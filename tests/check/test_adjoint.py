"""tinyres/check/adjoint.py: right linear maps pass in float32, wrong ones do not, and what is not linear is refused."""

import re

import numpy as np
import pytest

from tinyres import Op, Tensor, adjoint_check
from tinyres.check.gradcheck import GradientError
from tinyres.nn import functional as F
from tinyres.ops.conv2d import Conv2d


def random(*shape, dtype="float32", seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


@pytest.mark.parametrize(("dtype", "largest"), [("float32", 1e-5), ("float64", 1e-14)])
def test_convolution_is_its_own_kernels_adjoint(dtype, largest):
    inputs = [random(2, 4, 9, 8, dtype=dtype), random(6, 4, 3, 3, dtype=dtype, seed=1), random(6, dtype=dtype, seed=2)]
    assert adjoint_check(lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1), inputs) < largest


def test_a_constant_may_be_added():
    assert adjoint_check(lambda x: x.mean(0) + 3, [random(3, 4)]) < 1e-6


class WrongByAThousandth(Conv2d):
    """Too little for a difference in float32, whose own error is larger."""

    def backward(self, gy):
        gx, gw = super().backward(gy)
        return gx, gw * np.float32(1.001)


def test_catches_in_float32():
    with pytest.raises(
        GradientError, match=r"backward is not the adjoint of forward in input 1, .* in float32"
    ) as error:
        adjoint_check(lambda x, w: WrongByAThousandth((1, 1), (1, 1))(x, w), [random(2, 4, 5, 6), random(3, 4, 3, 3)])
    assert (error.value.op, error.value.input) == ("WrongByAThousandth", 1)
    np.testing.assert_allclose(error.value.analytic, 1.001 * error.value.numeric, rtol=1e-4)


class Zeros(Op):
    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return np.zeros_like(gy)


class NotANumber(Zeros):
    def backward(self, gy):
        return gy * np.nan


@pytest.mark.parametrize("wrong", [Zeros, NotANumber])
def test_catches(wrong):
    with pytest.raises(GradientError, match="not the adjoint"):
        adjoint_check(lambda x: wrong()(x), [random(3)])


def test_a_backward_that_fails():
    class Misshapen(Zeros):
        def backward(self, gy):
            return gy.sum()

    with pytest.raises(GradientError, match="the backward of Misshapen failed"):
        adjoint_check(lambda x: Misshapen()(x), [random(3)])


@pytest.mark.parametrize("fn", [F.relu, lambda x: x * x, lambda x: x.exp()], ids=["relu", "square", "exp"])
def test_what_is_not_linear(fn):
    with pytest.raises(ValueError, match="adjoint_check: fn is not linear in input 0; use gradcheck"):
        adjoint_check(fn, [random(5)])


def test_without_an_input_to_check():
    with pytest.raises(ValueError, match=re.escape("adjoint_check: no input requires a gradient")):
        adjoint_check(lambda x: x, [random(3).detach()])
