"""tinyres/check/purity.py: another result the second time, or writing where one must not, is caught and named."""

import itertools

import numpy as np
import pytest

from tinyres import Op, Tensor, gradcheck
from tinyres.check.gradcheck import GradientError
from tinyres.nn import functional as F


def x():
    return Tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)


class Double(Op):
    """y = 2x. The planted bugs below inherit what they leave alone."""

    def forward(self, x):
        self.saved = (x,)
        return 2 * x

    def backward(self, gy):
        return 2 * gy


def caught(fn, message, **settings):
    """The error of a gradcheck whose gradient may well be right."""
    with pytest.raises(GradientError, match=message) as error:
        gradcheck(fn, [x()], **settings)
    return error.value


def test_the_clean_one_passes():
    assert gradcheck(lambda x: Double()(x), [x()]) < 1e-8


class WritesIntoGy(Double):
    """The right gradient; but in a residual block the other branch holds the same gy, and reads it after this."""

    def backward(self, gy):
        gy *= 2
        return gy


def test_a_write_into_gy():
    for fn in (lambda x: WritesIntoGy()(x), lambda x: WritesIntoGy()(x.tanh()).exp(), lambda x: WritesIntoGy()(x) + x):
        error = caught(fn, "WritesIntoGy.backward writes into gy")
        assert error.op == "WritesIntoGy"


def test_a_write_into_an_input():
    class InPlace(Double):
        def forward(self, x):
            x *= 2
            return x.copy()

    class Late(Double):
        def backward(self, gy):
            self.saved[0][0] = 7
            return 2 * gy

    assert caught(lambda x: InPlace()(x * 1), "InPlace.forward writes into its input x").op == "InPlace"
    assert caught(lambda x: Late()(x.exp()), "Late.backward writes into its input x").op == "Late"


def test_a_function_that_writes_into_its_input():
    def fn(x):
        x.data += 1
        return x * x

    assert caught(fn, "fn writes into input 0").input == 0


def test_a_forward_that_is_random():
    draws = np.random.default_rng(0)

    class Noisy(Double):
        def forward(self, x):
            return 2 * x + 1e-12 * draws.standard_normal()

    message = (
        "fn gives another y when it is called again with the same inputs; the first to differ is the output of Noisy"
    )
    assert caught(lambda x: Noisy()(x.exp()).tanh(), message).op == "Noisy"


def test_a_backward_that_is_random():
    draws = np.random.default_rng(0)

    class Noisy(Double):
        def backward(self, gy):
            return 2 * gy * (1 + 1e-15 * draws.integers(2, 9))

    error = caught(lambda x: Noisy()(x.exp()).tanh(), "Noisy.backward gives another gradient when it runs again")
    assert error.op == "Noisy"


def test_a_backward_that_depends_on_how_many_ran_before():
    """Right over the same graph, wrong over the next."""
    numbers = itertools.count(1)

    class Numbered(Double):
        def forward(self, x):
            self.number = next(numbers)
            return 2 * x

        def backward(self, gy):
            return 2 * gy + 1e-9 * self.number

    caught(lambda x: Numbered()(x), "Numbered.backward gives another gradient when it runs again over a new graph")


def test_a_backward_that_spoils_what_it_saved():
    class Spoils(Double):
        def forward(self, x):
            self.saved = (np.full_like(x, 2),)
            return 2 * x

        def backward(self, gy):
            gx = gy * self.saved[0]
            self.saved[0][...] = 0
            return gx

    caught(lambda x: Spoils()(x), "Spoils.backward gives another gradient when it runs again over the same graph")


def test_dropout_draws_the_same_in_every_call():
    assert gradcheck(lambda x: F.dropout(x.exp(), 0.5), [x()]) < 1e-8
    assert gradcheck(lambda x: F.dropout(x.exp(), 0.5), [x()], method="complex") < 1e-14


def test_no_slope_where_nothing_is_finite():
    with (
        np.errstate(divide="ignore"),
        pytest.raises(ValueError, match="values that are infinite or no numbers: there is no slope"),
    ):
        gradcheck(lambda x: x.log(), [Tensor(np.array([0.0]), requires_grad=True)])


def test_gradients_of_others_stay_as_they_are():
    weight = x()
    weight.grad = np.array([1.0, 2.0, 3.0])
    gradcheck(lambda x: x * weight, [x()])
    assert weight.grad.tolist() == [1, 2, 3]


def test_a_gradient_rounded_to_float32():
    """An error of 1e-8, too small for the slope to tell."""

    class Rounded(Double):
        def backward(self, gy):
            return 2 * gy.astype(np.float32).astype(np.float64)

    error = caught(lambda x: Rounded()(x.exp()), "the gradient that Rounded returns for x was rounded to float32")
    assert error.op == "Rounded" and "float32" in error.diagnosis


def test_gradients_that_happen_to_be_float32_numbers_pass():
    zeros = Tensor(np.zeros(3), requires_grad=True)
    assert gradcheck(lambda x: x * x, [zeros]) < 1e-6
    assert gradcheck(lambda x: x.sum(), [x()]) < 1e-6

    def sums_to_rounding(x):  # the bias of a normalised sum: ±2⁻⁵⁴ or so, and such powers of two are float32 numbers
        return F.softmax(x.reshape(1, 3) + x.sum(), 1)

    assert gradcheck(sums_to_rounding, [x()]) < 1e-6
