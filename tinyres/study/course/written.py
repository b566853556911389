"""An exercise that is answered with a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tinyres.study.course.exercise import Exercise, Text
from tinyres.study.course.learner import call, expect_function
from tinyres.study.course.source import source_of, stub_of, with_library


class Written(Exercise):
    """function: the solution; its docstring is the task, its parameters are the learner's.

    library: the library's own code for the same, to be shown.
    """

    def __init__(self, function: Callable[..., Any], lesson: int, hints: tuple[str, str], library: Sequence[Any] = ()):
        super().__init__(function.__name__, lesson, f"Write {function.__name__}.", stub_of(function), hints)
        self.function, self.library = function, library
        self.parameters = list(inspect.signature(function).parameters)

    def answered(self, answer: Callable[..., Any], inputs: Sequence[tuple]) -> list[Any]:
        """What the learner's function returns for each of these arguments."""
        expect_function(answer, self.name, self.parameters)
        return [call(answer, arguments, self.parameters) for arguments in inputs]

    def solution(self) -> Text:
        return Text(with_library(source_of(self.function), self.library))
