"""Wrong answers that nobody foresaw: one change to the solution explains them."""

from itertools import islice

import numpy as np
import pytest

from tinyres.study.course import LESSONS, check, compare
from tinyres.study.course.mutations import explained_by, mutants
from tinyres.study.course.write_backward import WriteBackward
from tinyres.study.course.write_function import WriteFunction


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _edge_padded(x, w, stride, padding):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode="edge")
    P, Q = (xp.shape[2] - w.shape[2]) // stride + 1, (xp.shape[3] - w.shape[3]) // stride + 1
    y = np.zeros((len(x), len(w), P, Q))
    for p, q in np.ndindex(P, Q):
        window = xp[:, :, p * stride : p * stride + 3, q * stride : q * stride + 3]
        y[:, :, p, q] = np.einsum("ncij,ocij->no", window, w)
    return y


def _stride_forgotten(x, w, stride, padding):
    xp = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    P, Q = (xp.shape[2] - w.shape[2]) // stride + 1, (xp.shape[3] - w.shape[3]) // stride + 1
    y = np.zeros((len(x), len(w), P, Q))
    for p, q in np.ndindex(P, Q):
        y[:, :, p, q] = np.einsum("ncij,ocij->no", xp[:, :, p : p + 3, q : q + 3], w)
    return y


def _backward_backwards(order, inputs, slopes):
    g = dict.fromkeys(order, 0.0)
    g[order[0]] = 1.0
    for node in order[::-1]:
        for x, slope in zip(inputs[node], slopes[node], strict=True):
            g[x] += g[node] * slope
    return [g[node] for node in order]


def _norm_of_each_pixel(gy, x, gamma, beta):
    mean, r = x.mean(0), 1 / np.sqrt(x.var(0) + 1e-5)
    xhat = (x - mean) * r
    gx = gamma[:, None, None] * r * (gy - gy.mean(0) - xhat * (gy * xhat).mean(0))
    return gx, (gy * xhat).sum((0, 2, 3)), gy.sum((0, 2, 3))


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("sigmoid_slope", lambda z: _sigmoid(z) ** 2, "`1` is missing"),
        ("residual_chain", lambda ws: np.prod([w - 1 for w in ws]), "`w - 1` is used in place of `w + 1`"),
        ("residual_chain", lambda ws: np.prod([w + 1 for w in ws[1:]]), "leaves out the first"),
        ("weight_decay_step", lambda w, g, lr, decay: w - lr * decay * w, "the term `g` is missing"),
        ("central_difference", lambda f, x, h: (f(x - h) - f(x + h)) / (2 * h), "is used in place of"),
        ("running_mean", lambda running, batch, momentum: momentum * batch, "`(1 - momentum) * running` is missing"),
        ("dense_channels", lambda k0, k, layers: k0 + layers, "the factor `k` is missing"),
        ("one_by_one", lambda x, w: np.maximum(np.einsum("nchw,oc->nohw", x, w), 0), "as by a ReLU"),
        ("shattered_laws", lambda L: (0.5**L, 0.75**L, L**0.5), "is used in place of `1 / np.sqrt(L)`"),
        ("conv2d_loops", _edge_padded, "the padding repeats"),
        ("conv2d_loops", _stride_forgotten, "the factor `stride` is missing"),
        ("backward_sweep", _backward_backwards, "in the wrong direction"),
        ("batch_norm_backward", _norm_of_each_pixel, "`(0,)` is used in place of `(0, 2, 3)`"),
    ],
)
def test_what_nobody_foresaw_is_named(name, answer, words):
    result = getattr(check, name)(answer)
    assert not result.passed and words in str(result).split("diagnosis: ")[1], result


WRITTEN = [e for lesson in LESSONS for e in lesson.exercises if isinstance(e, (WriteFunction, WriteBackward))]


@pytest.mark.parametrize("exercise", WRITTEN, ids=lambda exercise: exercise.name)
def test_every_solution_can_be_changed(exercise):
    before = exercise.function.__code__
    words = [text for _, text in islice(mutants(exercise.function), 50)]
    assert words and exercise.function.__code__ is before


def test_what_goes_wrong_in_a_mutant_ends_nothing():
    def exploding(wrong):
        raise ZeroDivisionError

    assert explained_by(check.running_mean.function, exploding) is None
    assert explained_by(check.running_mean.function, lambda wrong: False) is None


def _countdown(n):
    """n -> how many steps lead to 0"""
    steps = 0
    while n > 0:
        n -= 1
        steps += 1
    return steps


def test_a_mutant_that_never_ends_is_given_up():
    """Without its line `n -= 1`, for instance."""
    assert explained_by(_countdown, lambda wrong: wrong(3) == "no such result") is None


def test_nan_is_not_explained_by_chance():
    def centred(x):
        e = np.exp(x - x.mean(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    with np.errstate(all="ignore"):
        text = str(check.softmax(centred))
    assert "overflow in exp" in text and "diagnosis" not in text


# ---- what is right in a wrong answer ---------------------------------------------------------------------------------

RIGHT = np.arange(24.0).reshape(2, 3, 4) ** 2 + 1


@pytest.mark.parametrize(
    ("change", "clue"),
    [
        ((slice(None), 2), "Wrong only in the last index (axis 1)."),
        ((slice(None), slice(1, None)), "Wrong only in every index but the first (axis 1)."),
        ((1, slice(None), slice(0, 2)), "Wrong only in indices 0, 1 (axis 2) of the last index (axis 0)."),
        ((slice(None), slice(None), [0, 2]), "Wrong only in every second index (axis 2)."),
        ((slice(None), slice(None), [0, 3]), "Wrong only in every third index (axis 2)."),
    ],
)
def test_where_it_is_wrong(change, clue):
    mine = RIGHT.copy()
    mine[change] += mine[change] ** 2
    assert compare.clue(mine, RIGHT) == clue


def test_where_alone_it_is_right():
    mine = RIGHT * RIGHT
    mine[0, 1] = RIGHT[0, 1]
    mine[0, 0, 0] = 7  # 1 squared is 1
    assert compare.clue(mine, RIGHT) == "Right only in index 1 (axis 1) of the first index (axis 0)."


def test_what_does_not_change_along_an_axis():
    mine = np.broadcast_to(RIGHT.mean(2, keepdims=True) + 0.1, RIGHT.shape)
    assert compare.clue(mine, RIGHT) == "Yours is the same all along axis 2; it should not be."


@pytest.mark.parametrize(
    ("mine", "words"),
    [
        (RIGHT[:, :2], "right, but only a part of what is due, from (0, 0, 0) on"),
        (RIGHT[:, 1:], "right, but only a part of what is due, from (0, 1, 0) on"),
        (np.concatenate([RIGHT, RIGHT], 1), "it is too long. What is due is 0:3 of axis 1"),
        (np.concatenate([RIGHT[:, :1] + 1, RIGHT], 1), "it is too long. What is due is 1:4 of axis 1"),
        (np.float64(3.0), "one number, where an array is due."),
    ],
)
def test_a_wrong_length(mine, words):
    assert words in compare.difference("it", mine, RIGHT)


def test_whole_numbers():
    assert compare.clue(np.trunc(RIGHT / 3).astype(int), RIGHT / 3) == compare.CUT
    made_for_whole_numbers = check.avg_pool_backward(lambda gy, x, k: np.repeat(gy, k, 2).repeat(k, 3).astype(int) // 4)
    assert not made_for_whole_numbers.passed
    cut = check.global_avg_pool_backward(lambda gy, x: (gy[:, :, None, None] / 20 * np.ones(x.shape)).astype(int))
    assert compare.CUT in str(cut)


def test_a_list_of_lists_is_an_array():
    assert check.relu_backward(lambda gy, x: (gy * (x > 0)).tolist()).passed


def test_a_mistake_in_one_gradient_alone():
    text = str(check.residual_block_backward(lambda gy, x, w: (gy + gy @ w, (gy * (x @ w.T > 0)).T @ x)))
    assert "ReLU's mask is missing" in text


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [("cifar_depth", 28, "half the right"), ("typical_path", 1 / 27, "the inverse"), ("bottleneck", 696320, "ten")],
)
def test_numbers_that_are_related(name, answer, words):
    assert words in str(getattr(check, name)(answer))


def test_a_set_has_no_order():
    assert "a set has no order" in str(check.topological_sweep(lambda inputs, root: set(inputs)))
