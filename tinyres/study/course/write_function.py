"""Write a function: the learner's is compared with ours on random inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyres.study.course.compare import TOLERANCE, agree, clue, difference
from tinyres.study.course.exercise import Exercise, Text
from tinyres.study.course.learner import Complaint, as_array, call, copied, expect_function
from tinyres.study.course.mutations import explained_by
from tinyres.study.course.source import source_of, stub_of, with_library

DRAWS = 4  # how many random inputs an answer must get right
Mistake = tuple[Callable[..., Any], str]


class WriteFunction(Exercise):
    """solution: the function itself; its docstring is the task, its parameters are the learner's.

    inputs: rng -> the arguments. mistakes: (a wrong function, what to say about it); one is believed only if it agrees
    with the learner's function in every element of every draw. library: its own code for the same, to be shown.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        lesson: int,
        inputs: Callable[[np.random.Generator], tuple],
        hints: tuple[str, str],
        mistakes: Sequence[Mistake] = (),
        library: Sequence[Any] = (),
        tolerance: float = TOLERANCE,
    ):
        super().__init__(function.__name__, lesson, f"Write {function.__name__}.", stub_of(function), hints)
        self.function, self.inputs, self.mistakes, self.library = function, inputs, mistakes, library
        self.tolerance = tolerance
        self.parameters = list(inspect.signature(function).parameters)

    def examine(self, answer: Any) -> str | None:
        expect_function(answer, self.name, self.parameters)
        draws = [self.inputs(np.random.default_rng([self.lesson, k])) for k in range(DRAWS)]
        answers = [call(answer, arguments, self.parameters) for arguments in draws]
        for arguments, mine in zip(draws, answers, strict=True):
            found = self.compared(mine, self.function(*arguments))
            if found is not None:
                named = self.named(draws, answers)
                if named:
                    return f"{found}\ndiagnosis: {named}"
                clue = self.clue(mine, self.function(*arguments))
                return "\n".join(filter(None, (found, clue, self.example(arguments))))
        return None

    def named(self, draws: Sequence[tuple], answers: Sequence[Any]) -> str | None:
        """The text for the first known mistake that explains everything."""

        def agrees(wrong: Callable[..., Any]) -> bool:
            pairs = zip(draws, answers, strict=True)
            return all(self.compared(mine, wrong(*map(copied, arguments))) is None for arguments, mine in pairs)

        foreseen = next((text for wrong, text in self.mistakes if agrees(wrong)), None)
        finite = all(is_finite(mine) for mine in answers)  # NaN says little of what came before it
        return foreseen or (explained_by(self.function, agrees) if finite else None)

    def compared(self, mine: Any, right: Any) -> str | None:
        """What differs, or None. A tuple is compared part by part."""
        if not isinstance(right, tuple):
            return self.one("the result", mine, right)
        if not isinstance(mine, (tuple, list)) or len(mine) != len(right):
            came = f"{len(mine)} values" if isinstance(mine, (tuple, list)) else type(mine).__name__
            return f"it must return {len(right)} values, got {came}"
        parts = (self.one(f"value {k} of the result", *pair) for k, pair in enumerate(zip(mine, right, strict=True)))
        return next(filter(None, parts), None)

    def clue(self, mine: Any, right: Any) -> str | None:
        """What is right in it."""
        if isinstance(right, tuple):
            if not isinstance(mine, (tuple, list)) or len(mine) != len(right):
                return None
            good = [k for k, pair in enumerate(zip(mine, right, strict=True)) if self.one("", *pair) is None]
            return f"Right: {', '.join(f'value {k}' for k in good)}." if good else None
        try:
            return clue(as_array(mine, ""), np.asarray(right), self.tolerance)
        except Complaint:
            return None

    def one(self, what: str, mine: Any, right: Any) -> str | None:
        try:
            values = as_array(mine, what)
        except Complaint as complaint:
            return str(complaint)
        right = np.asarray(right)
        if agree(values, right, self.tolerance):
            return None
        return difference(what, values, right, self.tolerance)

    def example(self, arguments: tuple) -> str:
        """The inputs at which it differed, where they are short."""
        values = [f"{name} = {short(value)}" for name, value in zip(self.parameters, arguments, strict=True)]
        return "for " + ", ".join(values)

    def solution(self) -> Text:
        return Text(with_library(source_of(self.function), self.library))


def is_finite(answer: Any) -> bool:
    parts = answer if isinstance(answer, tuple) else (answer,)
    try:
        return all(bool(np.all(np.isfinite(as_array(part, "")))) for part in parts)
    except Complaint:
        return False


def short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"an array {value.shape}"
    if isinstance(value, (np.ndarray, list)):
        return np.array2string(np.asarray(value), precision=3, separator=", ")
    return f"{value:.4g}" if isinstance(value, float) else str(value) if isinstance(value, (int, str)) else "…"
