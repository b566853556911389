"""Exercises that are answered with a word or a number: predict a number, choose, find the line with the bug."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinyres.study.course.exercise import Exercise, Text
from tinyres.study.course.learner import Complaint, Unsolved, is_blank, shown
from tinyres.study.course.source import source_of


def as_number(answer: Any, kind: type, expected: str) -> Any:
    """What was answered as a float or an int. Unsolved, Complaint."""
    if is_blank(answer):
        raise Unsolved
    try:
        return kind(answer)
    except (TypeError, ValueError, OverflowError):
        raise Complaint(f"expected {expected}, got {shown(answer)}") from None


class Predict(Exercise):
    """value: the number, right within a relative `tolerance`. mistakes: (another number, what to say of it)."""

    def __init__(
        self,
        name: str,
        lesson: int,
        question: str,
        value: float,
        hints: tuple[str, str],
        mistakes: Sequence[tuple[float, str]],
        because: str,
        tolerance: float = 0.01,
    ):
        within = "exactly" if tolerance == 0 else f"within {100 * tolerance:g} %"
        stub = f"check.{name}(...)        # a number, {within}"
        super().__init__(name, lesson, question, stub, hints)
        self.value, self.tolerance, self.mistakes, self.because = value, tolerance, mistakes, because

    def near(self, answer: float, value: float) -> bool:
        return abs(answer - value) <= max(self.tolerance * abs(value), 1e-9 * abs(value), 1e-12)

    def examine(self, answer: Any) -> str | None:
        number = as_number(answer, float, "a number")
        if number != number:
            return "NaN is no number."
        if self.near(number, self.value):
            return None
        for value, text in self.mistakes:
            if self.near(number, value):
                return f"{number:g} is not it.\ndiagnosis: {text}"
        if self.near(-number, self.value):
            return f"{number:g} has the wrong sign."
        size = "large" if number > self.value else "small"
        return f"{number:g} is too {size}.{self.related(number)}"

    def related(self, number: float) -> str:
        """How a wrong number comes of the right one, if it does so simply."""
        powers = ((-1, "the inverse, 1 divided by"), (2, "the root of"), (0.5, "the square of"))
        factors = ((2, "twice"), (0.5, "half"), (10, "ten times"), (0.1, "a tenth of"), (100, "100 times"))
        related = [(number**power, words) for power, words in powers if number > 0]
        related += [(number / factor, words) for factor, words in factors]
        found = (words for value, words in related if self.near(value, self.value))
        return next((f"\ndiagnosis: it is {words} the right number." for words in found), "")

    def solution(self) -> Text:
        return Text(f"{self.value:.6g}: {self.because}")


class Choose(Exercise):
    """options: {"a": (what it says, what to say to someone who takes it)}; right: the letter of the true one."""

    def __init__(
        self,
        name: str,
        lesson: int,
        question: str,
        options: Mapping[str, tuple[str, str]],
        right: str,
        hints: tuple[str, str],
    ):
        listed = "\n".join(f"  {letter}  {text}" for letter, (text, _) in options.items())
        stub = f"check.{name}(...)        # one of " + ", ".join(f'"{letter}"' for letter in options)
        super().__init__(name, lesson, f"{question}\n\n{listed}", stub, hints)
        self.options, self.right = options, right

    def examine(self, answer: Any) -> str | None:
        if is_blank(answer) or answer == "":
            raise Unsolved
        letter = answer.strip().strip(".)").casefold() if isinstance(answer, str) else ""
        if letter not in self.options:
            raise Complaint(f"expected one of {', '.join(self.options)}, got {shown(answer)}")
        return None if letter == self.right else f"Not {letter}: {self.options[letter][1]}"

    def solution(self) -> Text:
        text, because = self.options[self.right]
        return Text(f"{self.right}: {text}\n{because}")


class FindBug(Exercise):
    """function: code with one wrong line, shown with numbers; bug: a part of that line; mended: how it should be.

    innocent: {a part of another line: why it is right}.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        lesson: int,
        question: str,
        bug: str,
        mended: str,
        innocent: Mapping[str, str],
        hints: tuple[str, str],
    ):
        self.function, self.bug, self.mended, self.innocent = function, bug, mended, innocent
        self.lines = source_of(function).splitlines()
        listing = "\n".join(f"{k:3}  {line}" for k, line in enumerate(self.lines, 1))
        stub = f"check.{function.__name__}(...)        # the number of the wrong line"
        super().__init__(function.__name__, lesson, f"{question}\n\n{listing}", stub, hints)

    def line(self, part: str) -> int:
        """The number of the line that contains this."""
        (number,) = (k for k, line in enumerate(self.lines, 1) if part in line)
        return number

    def examine(self, answer: Any) -> str | None:
        number = as_number(answer, int, f"the number of a line, 1 to {len(self.lines)}")
        if number == self.line(self.bug):
            return None
        if not 1 <= number <= len(self.lines):
            return f"There is no line {number}; they go from 1 to {len(self.lines)}."
        line = self.lines[number - 1]
        why = next((text for part, text in self.innocent.items() if part in line), "nothing is computed there.")
        return f"Line {number} is right: {why}"

    def solution(self) -> Text:
        return Text(f"line {self.line(self.bug)}, which should be\n\n    {self.mended}")
