"""tinyres/check/gradcheck.py: passes what is right, catches what is wrong, in each way that a backward pass can be."""

import numpy as np
import pytest

import tinyres
from tinyres import Op, Tensor, gradcheck
from tinyres.check.gradcheck import GradientError
from tinyres.nn import functional as F
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.tanh import Tanh


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


def test_a_saved_array_that_fn_changes_is_named():
    def careless(x):
        y = x.exp()
        y.data *= 2  # Exp has saved it for its backward
        return y * 3

    with pytest.raises(GradientError, match=r"Exp: an array that it saved was changed between forward and backward"):
        gradcheck(careless, [random(5)])


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


# ---- the whole Jacobian, and the complex step ------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [WrongSign, WrongFactor, AllZero, Transposed, NotANumber, OneElementWrong])
@pytest.mark.parametrize(
    "settings", [{"full": True}, {"method": "complex"}, {"full": True, "method": "complex"}], ids=str
)
def test_catches_by_other_ways(wrong, settings):
    inputs = [random(4, 3), random(3, 3)]
    gradcheck(lambda a, b: Product()(a, b), inputs, **settings)
    with pytest.raises(GradientError, match=r"the gradient of input [01], shape \((4|3), 3\), is wrong") as error:
        gradcheck(lambda a, b: wrong()(a, b), inputs, **settings)
    assert error.value.op == wrong.__name__


def test_the_whole_jacobian_says_which_output_by_which_element():
    class Swapped(Op):
        """y = 2x, but the gradients of the first two outputs go to each other's input."""

        def forward(self, x):
            return 2 * x

        def backward(self, gy):
            return 2 * gy[[1, 0, 2]]

    with pytest.raises(
        GradientError, match=r"for output \[[01]\] by element \[[01]\] backward gives (0|2), forward"
    ) as error:
        gradcheck(lambda x: Swapped()(x), [random(3)], full=True)
    assert error.value.index in ((0,), (1,))


def test_the_whole_jacobian_is_for_small_shapes():
    with pytest.raises(
        ValueError, match=r"full=True is for small shapes, got an output \(1001,\) of an input \(1001,\)"
    ):
        gradcheck(lambda x: x * 2, [random(1001)], full=True)


def test_the_complex_step_sees_errors_that_differences_cannot():
    class OffByAHair(Tanh):
        def backward(self, gy):
            return super().backward(gy) * (1 + 1e-11)

    assert gradcheck(lambda x: OffByAHair()(x), [random(5)], tolerance=1e-8) < 1e-8
    with pytest.raises(GradientError):
        gradcheck(lambda x: OffByAHair()(x), [random(5)], tolerance=1e-12, method="complex")


def test_the_complex_step_goes_through_constants_and_labels():
    labels, weight = Tensor([0, 2]), random(3, 3, seed=1).detach()
    assert gradcheck(lambda x: F.cross_entropy(x @ weight * 0.5, labels), [random(2, 3)], method="complex") < 1e-14


class DropsTheImaginaryPart(Op):
    def forward(self, x):
        buffer = np.empty(x.shape)
        buffer[...] = x
        return buffer + x

    def backward(self, gy):
        return 2 * gy


class AnswersInReals(DropsTheImaginaryPart):
    def forward(self, x):
        return 2 * x.real


class RefusesComplex(DropsTheImaginaryPart):
    def forward(self, x):
        return 2 * np.asarray(x, dtype=float) if x.dtype.kind == "f" else np.logaddexp(x, x)


@pytest.mark.parametrize("op", [DropsTheImaginaryPart, AnswersInReals, RefusesComplex])
def test_what_cannot_do_complex_numbers(op):
    gradcheck(lambda x: op()(x).exp(), [random(3)])
    with pytest.raises(
        TypeError, match=f"gradcheck: {op.__name__}.forward cannot do complex numbers .*use method='central'"
    ):
        gradcheck(lambda x: op()(x).exp(), [random(3)], method="complex")


def without_gradient(x):
    with tinyres.no_grad():
        return x.exp()


@pytest.mark.parametrize("constant", [lambda x: Tensor(x.data), lambda x: x.detach(), without_gradient])
def test_where_the_complex_step_cannot_follow(constant):
    with pytest.raises(ValueError, match="fn takes its inputs' values past the graph"):
        gradcheck(lambda x: x + constant(x), [random(3)], method="complex")


@pytest.mark.parametrize("settings", [{}, {"full": True}, {"full": True, "method": "complex"}], ids=str)
def test_empty_arrays(settings):
    assert gradcheck(lambda x: x.exp(), [random(0, 3)], **settings) == 0


def test_an_unknown_method():
    with pytest.raises(ValueError, match="gradcheck: expected method 'central' or 'complex', got 'forward'"):
        gradcheck(lambda x: x, [random(3)], method="forward")


def test_what_is_returned_must_be_a_tensor():
    with pytest.raises(TypeError, match="gradcheck: expected fn to return a Tensor, got ndarray"):
        gradcheck(lambda x: x.data, [random(3)])


@pytest.mark.parametrize("method", ["central", "complex"])
def test_what_no_gradient_reaches(method):
    """An input that fn ignores, and a fn that returns what it was given."""
    assert gradcheck(lambda x, y: x * 1, [random(3), random(2)], method=method) < 1e-8
    assert gradcheck(lambda x: x, [random(3)], method=method) < 1e-8
    assert gradcheck(lambda x: Tensor(np.ones(2)), [random(3)], method=method) == 0


def test_why_an_elements_error_can_drown_among_many():
    """The docstring's last warning: of a million terms one makes a thousandth of their sum."""

    class OneOfAMillion(Op):
        def forward(self, x):
            return 2 * x

        def backward(self, gy):
            gx = 2 * gy
            gx[7] *= 1.0001
            return gx

    assert gradcheck(lambda x: OneOfAMillion()(x), [random(1_000_000)]) < 1e-6
    with pytest.raises(GradientError):
        gradcheck(lambda x: OneOfAMillion()(x), [random(10)])
