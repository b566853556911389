"""tinyres/study/course: each stub is unsolved, each solution right, and wrong answers hear what is wrong with them."""

import re

import numpy as np
import pytest
from study.course.wrong_answers import ORDERS, WRONG
from study.course.wrong_functions import WRONG_FUNCTIONS

from tinyres.autograd import Tensor
from tinyres.check.diagnosis.evidence import jacobian
from tinyres.look.summary import count_parameters
from tinyres.models.resnet import cifar_resnet
from tinyres.nn import functional as F
from tinyres.study.course import LESSONS, check
from tinyres.study.course.answers import Choose, FindBug, Predict
from tinyres.study.course.order import WriteOrder
from tinyres.study.course.write_backward import WriteBackward
from tinyres.study.course.write_function import WriteFunction

EXERCISES = [exercise for lesson in LESSONS for exercise in lesson.exercises]
WRITTEN = [exercise for exercise in EXERCISES if isinstance(exercise, (WriteFunction, WriteBackward, WriteOrder))]


def of_kind(kind):
    return [exercise for exercise in EXERCISES if isinstance(exercise, kind)]


def by_name(exercise):
    return exercise.name


def says(result, words):
    """Whether the text has all the words; a|b is one of two, and a_b has a space in it."""
    text = str(result).casefold()
    choices = (word.casefold().replace("_", " ").split("|") for word in words.split())
    return all(any(word in text for word in either) for either in choices)


def right_answer(exercise):
    if isinstance(exercise, Predict):
        return exercise.value
    if isinstance(exercise, Choose):
        return exercise.right
    return exercise.line(exercise.bug) if isinstance(exercise, FindBug) else exercise.function


def test_there_are_enough():
    assert len(EXERCISES) >= 30
    assert [lesson.number for lesson in LESSONS] == list(range(14))
    assert len({exercise.name for exercise in EXERCISES}) == len(EXERCISES)


# ---- unsolved --------------------------------------------------------------------------------------------------------


def raises(*arguments):
    raise NotImplementedError


def returns_nothing(*arguments):
    pass


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
@pytest.mark.parametrize("stub", [None, ..., NotImplemented])
def test_no_answer_is_no_wrong_answer(exercise, stub, progress_file):
    result = exercise(stub)
    assert not result.passed and not result.attempted
    assert "not solved yet" in result.text and exercise.stub in result.text
    assert not progress_file.exists()


@pytest.mark.parametrize("exercise", WRITTEN, ids=by_name)
def test_a_stub_is_unsolved(exercise, progress_file):
    namespace = {}
    exec(exercise.stub, namespace)
    for stub in (namespace[exercise.name], raises, returns_nothing, lambda *arguments: ..., lambda *a: (None, None)):
        result = exercise(stub)
        assert not result.passed and not result.attempted, result
    assert not progress_file.exists()


def test_a_stub_that_goes_on_with_its_dots():
    def backward(gy, x):
        mask = ...
        return gy * mask

    assert not check.relu_backward(backward).attempted


# ---- solved ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_the_solution_is_right(exercise):
    result = exercise(right_answer(exercise))
    assert result and result.text == f"✓ {exercise.name}: right."


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_the_solution_is_shown(exercise):
    shown = str(exercise.solution())
    if isinstance(exercise, (WriteFunction, WriteBackward, WriteOrder)):
        assert shown.startswith(f"def {exercise.name}(")
        compile(shown.split("\n\n# in the library")[0], exercise.name, "exec")
        for thing in exercise.library:
            assert f"# in the library: {thing.__module__}.{thing.__qualname__}\n" in shown
    else:
        assert shown


@pytest.mark.parametrize("exercise", of_kind(WriteBackward), ids=by_name)
def test_the_true_gradients_are_the_slopes_of_forward(exercise):
    """What learners are held against is itself held against forward."""
    rng = np.random.default_rng(5)
    inputs = exercise.inputs(rng)
    gy = np.asarray(rng.standard_normal(np.shape(exercise.forward(*inputs))))
    grads = exercise.function(gy, *inputs)
    for index, g in zip(exercise.asked, grads if isinstance(grads, tuple) else (grads,), strict=True):
        count = sum(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in inputs)
        true = jacobian(lambda *a: exercise.forward(*a, *inputs[count:]), inputs[:count], index)  # noqa: B023
        np.testing.assert_allclose(g, (gy.ravel() @ true).reshape(g.shape), atol=1e-8)


def test_the_kernels_of_the_identity_return_their_input():
    x = np.random.default_rng(6).standard_normal((2, 3, 5, 4))
    w = check.identity_kernels.function(3)
    np.testing.assert_allclose(F.conv2d(Tensor(x), Tensor(w), padding=1).numpy(), x, atol=1e-13)


@pytest.mark.parametrize("n", [1, 3, 9])
def test_the_parameters_are_those_of_the_model(n):
    assert check.resnet_parameters.function(n) == count_parameters(cifar_resnet(6 * n + 2, 10, "A"))


# ---- wrong -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "answer", "words"), WRONG, ids=[f"{name}: {words}" for name, _, words in WRONG])
def test_a_wrong_backward_is_explained(name, answer, words):
    result = getattr(check, name)(answer)
    assert not result.passed and result.attempted
    assert says(result, words), result


@pytest.mark.parametrize(("answer", "words"), ORDERS, ids=[words for _, words in ORDERS])
def test_a_wrong_order_is_explained(answer, words):
    result = check.topological_sweep(answer)
    assert not result.passed and says(result, words), result


MISTAKES = [(exercise, *mistake) for exercise in of_kind((WriteFunction, Predict)) for mistake in exercise.mistakes]


@pytest.mark.parametrize(("exercise", "answer", "text"), MISTAKES, ids=lambda value: getattr(value, "name", None))
def test_a_known_mistake_is_named(exercise, answer, text):
    result = exercise(answer)
    assert not result.passed and result.attempted and f"diagnosis: {text}" in result.text, result


@pytest.mark.parametrize(("name", "answer", "text"), WRONG_FUNCTIONS, ids=[name for name, *_ in WRONG_FUNCTIONS])
def test_one_change_to_the_solution_names_the_mistake(name, answer, text):
    result = getattr(check, name)(answer)
    assert not result.passed and result.attempted and f"diagnosis: {text}" in result.text, result


@pytest.mark.parametrize("exercise", of_kind(Choose), ids=by_name)
def test_a_wrong_choice_is_explained(exercise):
    for letter, (_, because) in exercise.options.items():
        if letter != exercise.right:
            assert str(exercise(f" {letter.upper()}.")).splitlines()[1].strip() == f"Not {letter}: {because}"


@pytest.mark.parametrize("exercise", of_kind(FindBug), ids=by_name)
def test_an_innocent_line_is_defended(exercise):
    for part, why in exercise.innocent.items():
        assert f"is right: {why}" in exercise(exercise.line(part)).text
    assert len(exercise.innocent) == len(exercise.lines) - 1


def test_every_exercise_knows_three_wrong_answers():
    for exercise in EXERCISES:
        if isinstance(exercise, Choose):
            known = len(exercise.options) - 1
        elif isinstance(exercise, FindBug):
            known = len(exercise.innocent)
        elif isinstance(exercise, WriteBackward):
            known = sum(name == exercise.name for name, _, _ in WRONG)
        else:
            changes = sum(name == exercise.name for name, _, _ in WRONG_FUNCTIONS)
            known = len(ORDERS) if isinstance(exercise, WriteOrder) else len(exercise.mistakes) + changes
        assert known >= 3, exercise.name


# ---- the planted bugs are bugs, and mended they are none -------------------------------------------------------------


@pytest.mark.parametrize("exercise", [e for e in of_kind(FindBug) if e.name != "loop_bug"], ids=by_name)
def test_the_planted_bug_is_one_and_its_mending_mends_it(exercise):
    truth = {
        "tanh_bug": (lambda gy, x: gy * (1 - np.tanh(x) ** 2), [(3, 4), (3, 4)]),
        "linear_bug": (lambda gy, x, w: (gy @ w, gy.T @ x, gy.sum(0)), [(4, 2), (4, 3), (2, 3)]),
        "conv_bug": (lambda gy, x, shape: check.conv2d_grad_w.function(gy, x, np.zeros(shape), 1, 0), None),
        "pool_bug": (lambda gy, x: check.max_pool_backward.function(gy, x, 3, 1), [(2, 2, 3, 3), (2, 2, 5, 5)]),
        "norm_bug": (lambda gy, x, gamma: norm_truth(gy, x, gamma), [(3, 2, 3, 2), (3, 2, 3, 2), (2,)]),
    }
    right, shapes = truth[exercise.name]
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in shapes or [(2, 3, 4, 3), (2, 2, 6, 5)]]
    if shapes is None:
        inputs.append((3, 2, 3, 3))
    lines = list(exercise.lines)
    bug = exercise.line(exercise.bug) - 1
    indent = re.match(" *", lines[bug])[0]
    lines[bug] = indent + exercise.mended
    namespace = {"np": np}
    exec("\n".join(lines), namespace)
    assert not all_close(exercise.function(*inputs), right(*inputs))
    assert all_close(namespace[exercise.name](*inputs), right(*inputs))


def norm_truth(gy, x, gamma):
    return check.batch_norm_backward.function(gy, x, gamma, np.zeros(2))[0]


def all_close(mine, right):
    mine, right = (a if isinstance(a, tuple) else (a,) for a in (mine, right))
    return all(np.shape(a) == np.shape(b) and np.allclose(a, b) for a, b in zip(mine, right, strict=True))
