"""tinyres/check/blame.py: of many ops the guilty one is named, and the element, and both numbers."""

import subprocess
import sys

import numpy as np
import pytest

import tinyres
from tinyres import Op, Tensor, gradcheck
from tinyres.check import blame, diagnosis
from tinyres.check.gradcheck import GradientError
from tinyres.models.resnet import BasicBlock
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.conv2d import Conv2d
from tinyres.ops.tanh import Tanh


def random(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def caught(fn, *inputs, **settings):
    with pytest.raises(GradientError) as error:
        gradcheck(fn, inputs, **settings)
    return error.value


class WrongAt(Tanh):
    """Right but for one element."""

    def backward(self, gy):
        gx = super().backward(gy)
        gx[1, 2] *= -1
        return gx


def test_the_op_the_input_and_the_element():
    error = caught(lambda x, y: WrongAt()(x * y).exp().sum(), random(3, 4), random(3, 4, seed=1))
    assert (error.op, error.name, error.index) == ("WrongAt", "x", (1, 2))
    assert error.input in (0, 1)
    np.testing.assert_allclose(error.analytic, -error.numeric, rtol=1e-6)
    assert "guilty:    WrongAt, in the gradient of x, shape (3, 4); worst of 12 elements is [1, 2]" in str(error)
    assert f"backward gives {error.analytic:.9g}, forward {error.numeric:.9g}" in str(error)


def test_which_of_an_ops_inputs():
    class Unturned(Conv2d):
        """The padding forgotten in the weights' gradient."""

        def backward(self, gy):
            gx, gw = super().backward(gy)
            return gx, gw[:, :, ::-1].copy()

    error = caught(lambda x, w: Unturned((1, 1), (1, 1))(x, w).tanh(), random(2, 3, 5, 4), random(4, 3, 3, 3))
    assert (error.op, error.name, error.input) == ("Unturned", "w", 1)
    assert len(error.index) == 4


def test_an_op_whose_inputs_have_no_names_in_the_call(monkeypatch):
    """A whole block, parameters and all hidden in it: the bug is planted in batch norm."""
    right = BatchNorm.backward

    def no_correction(self, gy):
        gx, ggamma, gbeta = right(self, gy)
        return np.zeros_like(gx), ggamma, gbeta

    monkeypatch.setattr(BatchNorm, "backward", no_correction)
    block = BasicBlock(3, 4, 2, "B").double()
    with tinyres.unfused():
        error = caught(block, random(2, 3, 6, 5))
    assert (error.op, error.name) == ("BatchNorm", "x")


def test_a_large_input_is_sampled(monkeypatch):
    class Half(Tanh):
        def backward(self, gy):
            return super().backward(gy) / 2

    monkeypatch.setattr(blame, "SAMPLE", 5)
    error = caught(lambda x: Half()(x), random(41, 50))
    assert "worst of 5 elements drawn from 2050" in str(error)
    np.testing.assert_allclose(error.analytic, error.numeric / 2, rtol=1e-6)


# ---- backward fails --------------------------------------------------------------------------------------------------


class NotSummed(Op):
    """y = x + b for every row. b's gradient has the shape of y."""

    def forward(self, x, b):
        return x + b

    def backward(self, gy):
        return gy, gy


def test_a_gradient_of_the_wrong_shape():
    error = caught(lambda x, b: NotSummed()(x.exp(), b), random(4, 3), random(3))
    assert (error.op, error.name) == ("NotSummed", "b")
    assert "the backward of NotSummed failed: ValueError: NotSummed.backward returned float64 (4, 3)" in str(error)
    assert isinstance(error.__cause__, ValueError)


def test_a_backward_that_raises():
    class Divides(Tanh):
        def backward(self, gy):
            return gy / self.nothing

    error = caught(lambda x: Divides()(x).exp(), random(4))
    assert (error.op, error.name) == ("Divides", "x")
    assert "the backward of Divides failed: AttributeError: 'Divides' object has no attribute 'nothing'" in str(error)
    assert isinstance(error.__cause__, AttributeError)


def test_a_hook_that_raises():
    def fn(x):
        x.register_hook(lambda gradient: 1 / 0)
        return x * x

    error = caught(fn, random(3))
    assert (error.op, str(error)) == ("", "backward failed: ZeroDivisionError: division by zero")


# ---- no op is guilty -------------------------------------------------------------------------------------------------


def without_gradient(x):
    with tinyres.no_grad():
        return x.exp()


@pytest.mark.parametrize("constant", [lambda x: Tensor(x.data), lambda x: x.detach(), without_gradient])
def test_a_value_taken_past_the_graph(constant):
    error = caught(lambda x: x * constant(x), random(3))
    assert error.op == ""
    assert "no op; each is right by itself, and so are they together. So fn takes a value past the graph" in str(error)


def test_gradients_put_together_wrongly():
    """As if the engine forgot one of two branches."""

    def fn(x):
        y = x.tanh()
        y.register_hook(lambda gradient: gradient / 2)
        return y * y

    error = caught(fn, random(3))
    assert (error.op, error.input) == ("", 0)
    assert "no op; each is right by itself. So their gradients are put together wrongly" in str(error)


# ---- the diagnosis ---------------------------------------------------------------------------------------------------


def test_the_diagnosis_is_asked_for_and_shown(monkeypatch):
    def diagnose(evidence):
        gy = np.random.default_rng(0).standard_normal(evidence.forward(*evidence.inputs).shape)
        claimed, real = evidence.backward(gy)[evidence.index], gy * (1 - np.tanh(evidence.inputs[0]) ** 2)
        seen.append(evidence)
        return f"the factor is {(claimed / real).mean():.3f}"

    class Tripled(Tanh):
        def backward(self, gy):
            return 3 * super().backward(gy)

    seen = []
    monkeypatch.setattr(diagnosis, "diagnose", diagnose)
    error = caught(lambda x: Tripled()(x * x).exp(), random(4))
    assert error.diagnosis == "the factor is 3.000"
    assert str(error).endswith("\n  diagnosis: the factor is 3.000")
    assert [(evidence.op, evidence.index, evidence.problem) for evidence in seen] == [("Tripled", 0, None)]


def test_the_diagnosis_hears_of_what_was_raised(monkeypatch):
    seen = []
    monkeypatch.setattr(diagnosis, "diagnose", seen.append)
    assert caught(lambda x, b: NotSummed()(x, b), random(4, 3), random(3)).diagnosis is None
    (evidence,) = seen
    assert (evidence.op, evidence.index) == ("NotSummed", 1)
    assert evidence.problem.startswith("ValueError: NotSummed.backward returned float64 (4, 3) for input 1")
    gy = np.ones((4, 3))
    assert evidence.backward(gy)[1].shape == (4, 3)  # as the op has it, misshapen and all


def test_a_right_function_loads_no_diagnosis():
    """In a process of its own: here the diagnosis is loaded already."""
    program = (
        "import sys, numpy, tinyres\n"
        "x = tinyres.Tensor(numpy.ones((2, 3)), requires_grad=True)\n"
        "tinyres.gradcheck(lambda x: x.exp(), [x])\n"
        "print([name for name in sys.modules if 'check.diagnosis' in name])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"


def test_an_op_with_a_generator_of_its_own_is_not_blamed_for_another():
    class Dropout(Op):
        """Right; but each forward moves its generator on, so that to run it again takes a copy from before."""

        def __init__(self, seed):
            self.draws = np.random.default_rng(seed)

        def forward(self, x):
            self.saved = (2.0 * (self.draws.random(x.shape) < 0.5),)
            return x * self.saved[0]

        def backward(self, gy):
            return gy * self.saved[0]

    class Square(Op):
        def forward(self, x):
            self.saved = (x,)
            return x**2

        def backward(self, gy):
            return 2.02 * gy * self.saved[0]

    for seed in range(20):
        with pytest.raises(GradientError) as error:
            gradcheck(lambda x, seed=seed: Dropout(seed)(Square()(x)), [random(4, 5)])
        assert error.value.op == "Square"
