"""`check` and its exercises as a learner meets them: hints, progress, and nothing that stops a notebook."""

import json

import numpy as np
import pytest

from tinyres.app.cli import main
from tinyres.study.course import LESSONS, check
from tinyres.study.course.learner import Unsolved


@pytest.fixture(autouse=True)
def no_hints_yet(monkeypatch):
    for lesson in LESSONS:
        for exercise in lesson.exercises:
            monkeypatch.setattr(exercise, "hints_given", 0)


def right(gy, x):
    return gy * (x > 0)


def wrong(gy, x):
    return gy


# ---- hints -----------------------------------------------------------------------------------------------------------


def test_the_second_and_the_third_failure_bring_a_hint():
    first, second, third, fourth = (str(check.relu_backward(wrong)) for _ in range(4))
    one, two = check.relu_backward.hints
    assert one not in first and two not in first
    assert one in second and two not in second
    assert two in third and "check.relu_backward.solution()" in third
    assert two in fourth


def test_hints_can_be_asked_for():
    one, two = check.relu_backward.hints
    asked = [check.relu_backward.hint() for _ in range(3)]
    assert one in asked[0] and two in asked[1] and two in asked[2]
    assert repr(asked[0]) == str(asked[0])  # as a notebook shows it


def test_an_unsolved_exercise_brings_no_hint_nearer():
    for _ in range(3):
        check.relu_backward(None)
    assert check.relu_backward.hints[0] not in check.relu_backward(wrong).text


# ---- what a learner's code may do ------------------------------------------------------------------------------------


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")

    def __array__(self, *settings):
        raise RuntimeError("no")


def deep(gy, x):
    return deep(gy, x)


def leaves(gy, x):
    raise SystemExit


ANYTHING = (
    (lambda gy, x: gy.nothing, "it raises AttributeError"),
    (lambda gy, x: undefined, "it raises NameError"),  # noqa: F821
    (lambda gy, x: 1 / 0, "backward divides by zero"),
    (deep, "it raises RecursionError"),
    (leaves, "it raises SystemExit"),
    (lambda gy, x: Hostile(), "expected numbers, got Hostile"),
    (lambda gy, x: "gx", "expected numbers, got str, 'gx'"),
    (lambda gy, x: {"gx": gy}, "expected numbers, got dict"),
    (lambda gy, x: [[1, 2], [3]], "returns 2 gradients, expected 1"),
    (lambda gy, x: gy > 0, "elements differ"),
    (lambda gy, x: gy * np.nan, "NaN"),
    (lambda gy, x: gy * 1j, "expected numbers, got an array"),
    (lambda gy: gy, "it is called as relu_backward(gy, x), but yours takes (gy)"),
    (lambda x, gy: gy, "yours has its parameters in another order: (x, gy)"),
    (right(np.ones(2), np.ones(2)), "Pass the function itself, without calling it"),
    (Hostile(), "expected your function, got Hostile"),
)


@pytest.mark.parametrize(("answer", "words"), ANYTHING, ids=[words for _, words in ANYTHING])
def test_nothing_stops_run_all(answer, words):
    result = check.relu_backward(answer)
    assert not result.passed and words in result.text, result


@pytest.mark.parametrize("answer", [np.nan, np.inf, "a", [1], Hostile(), 1j, True, -1, 10**400, {}, ""], ids=type)
def test_nothing_stops_the_other_kinds(answer):
    for name in ("vanishing", "blind_check", "tanh_bug", "sgd_momentum", "topological_sweep"):
        assert not check.__getattr__(name)(answer).passed


def test_lists_and_more_parameters_than_needed_are_fine():
    assert check.relu_backward(lambda gy, x, slope=0: [gy * (x > 0)])
    assert check.sigmoid_slope(lambda z: list(1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z)))))


def test_a_line_of_the_learners_own_is_shown():
    result = check.relu_backward(lambda gy, x: gy.nothing_of_the_kind)
    assert "nothing_of_the_kind" in result.text.splitlines()[2]


def test_a_mistake_in_the_course_itself_is_not_hidden(monkeypatch):
    """Only what the learner's code does is caught."""
    monkeypatch.setattr(check.relu_backward, "inputs", lambda rng: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        check.relu_backward(right)
    assert issubclass(Unsolved, Exception)


# ---- progress --------------------------------------------------------------------------------------------------------


def test_progress_is_kept(progress_file):
    check.relu_backward(wrong)
    check.relu_backward(wrong)
    assert "✗ relu_backward    (2 wrong answers so far)" in str(check)
    check.relu_backward(right)
    assert json.loads(progress_file.read_text()) == {"relu_backward": {"solved": True, "failures": 2}}
    check.relu_backward(wrong)  # later experiments take nothing away
    assert "✓ relu_backward    (after 2 wrong answers)" in str(check)
    assert "○ linear_backward" in str(check)
    assert "\n1 of " in str(check)


def test_a_damaged_file_is_put_aside(progress_file):
    progress_file.parent.mkdir()
    progress_file.write_text("{ not json")
    assert "\n0 of " in str(check)
    assert check.relu_backward(right)
    assert json.loads(progress_file.read_text())["relu_backward"]["solved"]
    assert (progress_file.parent / "course.json.damaged").read_text() == "{ not json"


def test_where_nothing_can_be_kept_the_answer_still_counts(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINYRES_COURSE", str(tmp_path / "file" / "course.json"))
    result = check.relu_backward(right)
    assert result and "Your progress cannot be kept" in result.text and "$TINYRES_COURSE" in result.text


def test_without_the_variable_it_is_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("TINYRES_COURSE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    check.relu_backward(right)
    assert (tmp_path / "tinyres" / "course.json").exists()


# ---- names, and the command line -------------------------------------------------------------------------------------


def test_names():
    assert "relu_backward" in dir(check)
    with pytest.raises(AttributeError, match=r"no exercise 'relu_backwards'; did you mean check.relu_backward\?"):
        check.relu_backwards  # noqa: B018
    assert repr(check.relu_backward) == f"{check.relu_backward.task}\n\n{check.relu_backward.stub}"


def test_tinyres_course(capsys):
    check.relu_backward(right)
    assert main(["course"]) == 0
    assert capsys.readouterr().out == f"{check}\n"
    assert main(["course", "relu_backward"]) == 0
    assert "def relu_backward(gy, x):" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["course", "relu_bakward"])
    assert "unknown exercise 'relu_bakward'; did you mean relu_backward?" in capsys.readouterr().err
