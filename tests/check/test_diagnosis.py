"""tinyres/check/diagnosis: it must name the mistake, and must not name one that was not made."""

import numpy as np
import pytest
from wrong_backwards import ALL
from wrong_backwards.forwards import batch_norm2d, conv, max_pool, softmax
from wrong_backwards.wrong import filled, names_it

from tinyres.check.diagnosis import Evidence, diagnose
from tinyres.check.diagnosis.evidence import jacobian


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.name)
def test_names_the_mistake(wrong):
    said = diagnose(wrong.evidence())
    assert names_it(wrong, said), said


# ---- what must not be named ------------------------------------------------------------------------------------------

FORWARDS = {
    "exp": (np.exp, ((3, 4),)),
    "product": (np.multiply, ((3, 4), (4,))),
    "relu": (lambda x: np.maximum(x, 0), ((4, 5),)),
    "matmul": (np.matmul, ((4, 3), (3, 5))),
    "softmax": (softmax, ((3, 4),)),
    "mean": (lambda x: x.mean(1), ((3, 4),)),
    "conv2d": (conv(2, 1), ((2, 2, 5, 5), (3, 2, 3, 3))),
    "max_pool": (max_pool(2, 2), ((2, 2, 4, 4),)),
    "batch_norm": (batch_norm2d, ((3, 3, 3, 2), (3,), (3,))),
    "transpose": (lambda x: x.transpose(1, 0, 2), ((2, 3, 4),)),
    "norm": (lambda x: np.sqrt((x**2).sum()), ((3, 4),)),
}


def evidence(name, changed):
    """backward gives changed(true Jacobian)."""
    forward, shapes = FORWARDS[name]
    inputs = filled(shapes, name)
    jacobians = [jacobian(forward, inputs, j) for j in range(len(inputs))]
    jacobians[0] = changed(jacobians[0], np.random.default_rng(4))

    def backward(gy):
        return tuple((gy.ravel() @ matrix).reshape(x.shape) for matrix, x in zip(jacobians, inputs, strict=True))

    return Evidence(name, forward, backward, inputs, 0)


ARBITRARY = {
    "right": lambda true, draws: true,
    "random": lambda true, draws: draws.standard_normal(true.shape),
    "noise added": lambda true, draws: true + 0.1 * draws.standard_normal(true.shape),
    "a little noise": lambda true, draws: true * (1 + 1e-3 * draws.standard_normal(true.shape)),
    "a random factor for each entry": lambda true, draws: true * draws.uniform(0.5, 1.5, true.shape),
    "a random factor for each x": lambda true, draws: true * draws.uniform(0.5, 1.5, true.shape[1]),
    "a random factor for each y": lambda true, draws: true * draws.uniform(0.5, 1.5, (len(true), 1)) + 0.01 * true**2,
    "noise here and there": lambda true, draws: true + (draws.random(true.shape) < 0.3) * draws.random(true.shape),
}


@pytest.mark.parametrize("name", FORWARDS)
@pytest.mark.parametrize("change", ARBITRARY)
def test_says_nothing_where_nothing_is_known(name, change):
    assert diagnose(evidence(name, ARBITRARY[change])) is None


# ---- single cases ----------------------------------------------------------------------------------------------------


def diagnosed(forward, backward, *inputs, index=0, problem=None):
    def as_tuple(gy):
        returned = backward(gy)
        return returned if isinstance(returned, tuple) else (returned,)

    return diagnose(Evidence("op", forward, as_tuple, inputs, index, problem))


X = np.random.default_rng(0).standard_normal((3, 4))


def test_at_a_kink_either_slope_is_right():
    x = X.copy()
    x[0, 1] = 0
    assert "except at kinks" in diagnosed(lambda x: np.maximum(x, 0), lambda gy: gy * (x >= 0), x)


def test_every_tie_of_a_maximum():
    x = np.random.default_rng(0).integers(0, 3, (4, 6)).astype(float)
    said = diagnosed(lambda x: x.max(1), lambda gy: (x == x.max(1, keepdims=True)) * gy[:, None], x)
    assert "kinks" in said and "tie" in said


def test_one_element():
    def backward(gy):
        gx = gy * np.exp(X)
        gx[1, 2] *= 1.5
        return gx

    assert "x[1, 2]" in diagnosed(np.exp, backward, X)


def test_one_number_is_a_multiple_of_any_other():
    x = np.array(1.3)
    assert diagnosed(lambda x: x**3, lambda gy: gy * 1.7, x) is None


def test_inputs_are_called_by_their_names():
    w = np.random.default_rng(1).standard_normal((3, 4))

    def backward(gy):
        return gy * w, gy * w * X

    said = diagnose(Evidence("op", np.multiply, backward, (X, w), 1, names=("x", "weight")))
    assert "must be x," in said and "weight·x" in said


def test_a_name_that_we_use_ourselves_is_left_alone():
    said = diagnose(Evidence("op", np.multiply, lambda gy: (gy, gy), (X, X + 1), 0, names=("a", "y")))
    assert "Multiply gy by input 1" in said


def test_gradients_that_pile_up():
    gx = np.zeros_like(X)

    def backward(gy):
        gx[...] += gy * np.exp(X)
        return gx

    assert "accumulates" in diagnosed(np.exp, backward, X)


def test_a_forward_that_draws_of_its_own():
    draws = np.random.default_rng(0)
    said = diagnosed(lambda x: x * (draws.random(x.shape) > 0.5), lambda gy: gy, X)
    assert "Forward itself" in said and "random" in said


def test_too_large_to_be_measured():
    x = np.ones((60, 100))
    assert "smaller input" in diagnosed(np.exp, lambda gy: 2 * gy * np.exp(x), x)


@pytest.mark.parametrize(
    ("problem", "words"),
    (
        ("Conv.backward returned float32 (3, 4) for input 0, which is float64 (3, 4)", "computed in float32"),
        ("Conv.backward returned float64 (4, 3) for input 0, which is float64 (3, 4)", "transposed"),
        ("Conv.backward returned None for input 0, which is float64 (3, 4)", "returns None"),
        ("Conv.backward returned 2 gradients for 1 inputs", "2 gradients"),
    ),
)
def test_the_engines_complaints(problem, words):
    def backward(gy):
        raise ValueError(problem)

    assert words in diagnosed(np.exp, backward, X, problem=problem)
    assert words in diagnosed(np.exp, backward, X)
