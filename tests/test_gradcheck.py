"""tinyres/gradcheck.py: passes what is right, catches what is wrong, in each way that a backward pass can be."""

import numpy as np
import pytest

from tinyres import AnomalyError, Op, Tensor, gradcheck
from tinyres.gradcheck import GradientError
from tinyres.nn import functional as F
from tinyres.ops.batch_norm import BatchNorm


def random(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


class Product(Op):
    """y = a @ b. The planted bugs below inherit its forward."""

    def forward(self, a, b):
        self.saved = a, b
        return a @ b

    def backward(self, gy):
        a, b = self.saved
        return gy @ b.T, a.T @ gy


class WrongSign(Product):
    def backward(self, gy):
        ga, gb = super().backward(gy)
        return ga, -gb


class WrongFactor(Product):
    def backward(self, gy):
        ga, gb = super().backward(gy)
        return 1.001 * ga, gb


class AllZero(Product):
    def backward(self, gy):
        return tuple(np.zeros_like(x) for x in self.saved)


class Transposed(Product):
    def backward(self, gy):
        ga, gb = super().backward(gy)
        return ga, gb.T.copy()


class NotANumber(Product):
    def backward(self, gy):
        ga, gb = super().backward(gy)
        return ga, gb * np.nan


class OneElementWrong(Product):
    def backward(self, gy):
        ga, gb = super().backward(gy)
        ga[1, 2] += 0.01
        return ga, gb


def test_passes_a_right_backward():
    assert gradcheck(lambda a, b: Product()(a, b), [random(4, 3), random(3, 3)]) < 1e-8


@pytest.mark.parametrize("wrong", [WrongSign, WrongFactor, AllZero, Transposed, NotANumber, OneElementWrong])
def test_catches(wrong):
    with pytest.raises(GradientError, match=r"the gradient of input [01], shape \((4|3), 3\), is wrong"):
        gradcheck(lambda a, b: wrong()(a, b), [random(4, 3), random(3, 3)])


class BroadcastNotSummed(Op):
    """y = x + b for every row; b's gradient should be the sum over the rows, not the first of them."""

    def forward(self, x, b):
        return x + b

    def backward(self, gy):
        return gy, gy[0]


def test_catches_a_broadcast_that_was_not_summed():
    with pytest.raises(GradientError, match=r"the gradient of input 1, shape \(3,\), is wrong"):
        gradcheck(lambda x, b: BroadcastNotSummed()(x, b), [random(4, 3), random(3)])


class NoMeanTerm(BatchNorm):
    """What comes through the mean is forgotten."""

    def backward(self, gy):
        gx, ggamma, gbeta = super().backward(gy)
        _, _, r, gamma = self.saved
        return gx + (gamma * r)[:, None, None] * gy.mean((0, 2, 3), keepdims=True), ggamma, gbeta


class NothingButZeros(BatchNorm):
    def backward(self, gy):
        _, ggamma, gbeta = super().backward(gy)
        return np.zeros_like(gy), ggamma, gbeta


@pytest.mark.parametrize("wrong", [NoMeanTerm, NothingButZeros])
def test_catches_a_wrong_batch_norm(wrong):
    inputs = random(3, 4, 5, 2), random(4), random(4)
    gradcheck(lambda *inputs: BatchNorm(1e-5)(*inputs), inputs)
    with pytest.raises(GradientError, match="the gradient of input 0"):
        gradcheck(lambda *inputs: wrong(1e-5)(*inputs), inputs)


def test_why_the_seed_is_random_and_never_ones():
    """The outputs of a batch norm sum to a constant. So summed, nothing is the right gradient, and zeros pass."""
    x, gamma, beta = random(3, 4, 5, 2), random(4), random(4)
    gradcheck(lambda x: NothingButZeros(1e-5)(x, gamma.detach(), beta.detach()).sum(), [x])


def test_the_message_shows_both_slopes():
    x = Tensor(np.array([2.0]), requires_grad=True)

    class Tripled(Op):
        def forward(self, x):
            return x * 1

        def backward(self, gy):
            return gy * 3

    with pytest.raises(GradientError) as error:
        gradcheck(lambda x: Tripled()(x), [x])
    claimed, real = (
        float(error.value.args[0].split(before)[1].split(",")[0].split()[0]) for before in ("gives ", "by ")
    )
    np.testing.assert_allclose(claimed, 3 * real, rtol=1e-6)


class InPlace(Op):
    """y = 2·x, with a forward that writes into x: harmless for its own gradient, not for that of who saved x."""

    def forward(self, x):
        x *= 2
        return x.copy()

    def backward(self, gy):
        return 2 * gy


def test_an_op_that_writes_into_its_input_is_caught_by_whom_it_harms():
    with pytest.raises(AnomalyError, match=r"Exp: an array that it saved was changed"):
        gradcheck(lambda x: InPlace()(x.exp()), [random(5)])


def test_float32_is_refused():
    with pytest.raises(
        TypeError, match="gradcheck: expected float64, or rounding hides every error; input 1 is float32"
    ):
        gradcheck(lambda a, b: a * b, [random(2), Tensor([1.0, 2.0])])


def test_inputs_without_gradients_are_refused():
    with pytest.raises(ValueError, match="gradcheck: no input requires a gradient"):
        gradcheck(lambda x: x * 2, [random(2).detach()])


def test_constants_and_integers_may_stand_among_the_inputs():
    labels = Tensor([0, 2])
    constant = random(2, 3, seed=1).detach()
    assert gradcheck(lambda x, c, labels: F.cross_entropy(x * c, labels), [random(2, 3), constant, labels]) < 1e-7


def test_inputs_stay_as_they_are():
    x = random(3)
    x.grad = np.array([7.0, 7.0, 7.0])
    before = x.data.copy()
    gradcheck(lambda x: x * x, [x])
    np.testing.assert_array_equal(x.data, before)
    assert x.grad.tolist() == [7, 7, 7]


def test_a_tolerance_that_cannot_be_met():
    with pytest.raises(GradientError):
        gradcheck(lambda x: x.exp(), [random(5)], tolerance=0)


def test_other_seeds_check_other_directions():
    errors = {gradcheck(lambda x: x.exp(), [random(5)], seed=seed) for seed in range(3)}
    assert len(errors) == 3


@pytest.mark.parametrize("seed", range(3))
def test_its_numbers_are_no_ones_inputs(seed):
    """With a = gy the transposed gradient aᵀ·gy would be symmetric, and the bug in Transposed unseen."""
    with pytest.raises(GradientError):
        gradcheck(lambda a, b: Transposed()(a, b), [random(4, 3, seed=seed), random(3, 3)], seed=seed)
