"""An exercise: a task, an answer that is examined, two hints, a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyres.study.course import progress
from tinyres.study.course.learner import Complaint, Unsolved
from tinyres.study.course.progress import Record


class Text(str):
    """A string that a notebook shows as it would be printed."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, repr=False)
class Result:
    """The verdict on an answer. It is True if the answer is right, and prints as its text.

    attempted: False if there was nothing to examine yet, only the stub.
    """

    passed: bool
    text: str
    attempted: bool = True

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


class Exercise:
    """Called with an answer, it returns a Result and raises nothing. A kind of exercise says how to `examine` one.

    name: as in check.NAME. lesson: its number. task: what to do. stub: where the learner begins.
    hints: two of them, the second says nearly all.
    """

    def __init__(self, name: str, lesson: int, task: str, stub: str, hints: tuple[str, str]):
        self.name, self.lesson, self.task, self.stub, self.hints = name, lesson, task, stub, hints
        self.hints_given = 0
        self.__doc__ = task

    def examine(self, answer: Any) -> str | None:
        """What is wrong with the answer, in a few lines; None if it is right. Unsolved, Complaint: from the call."""
        raise NotImplementedError

    def solution(self) -> Text:
        """The answer, and where the library has its own."""
        raise NotImplementedError

    def __call__(self, answer: Any = None) -> Result:
        try:
            with np.errstate(all="ignore"):
                complaint = self.examine(answer)
        except Unsolved as unsolved:
            return Result(False, self.what_to_do(str(unsolved)), attempted=False)
        except Complaint as found:
            complaint = str(found)
        before = progress.read().get(self.name, Record())
        if complaint is None:
            note = progress.write(self.name, Record(True, before.failures))
            return Result(True, "\n".join(filter(None, (f"✓ {self.name}: right.", note))))
        failures = before.failures + (not before.solved)
        note = progress.write(self.name, Record(before.solved, failures))
        lines = [f"✗ {self.name}: not yet.", *(f"  {line}" for line in complaint.splitlines())]
        if failures > 1:
            self.hints_given = max(self.hints_given, min(failures - 1, len(self.hints)))
            lines.append(f"  {self.last_hint()}")
        return Result(False, "\n".join([*lines, *filter(None, (note,))]))

    def hint(self) -> Text:
        """Hint 1; called again, hint 2."""
        self.hints_given = min(self.hints_given + 1, len(self.hints))
        return Text(self.last_hint())

    def last_hint(self) -> str:
        more = f"check.{self.name}.hint() has another" if self.hints_given < len(self.hints) else "the last one"
        if self.hints_given == len(self.hints):
            more += f"; check.{self.name}.solution() shows how it is done"
        return f"hint {self.hints_given}: {self.hints[self.hints_given - 1]} ({more})"

    def what_to_do(self, why: str = "") -> str:
        """For an answer that is still the stub."""
        head = f"○ {self.name} (lesson {self.lesson:02}): not solved yet." + (f" {why}" if why else "")
        return f"{head}\n\n{self}\n\ncheck.{self.name}.hint() helps."

    def __str__(self) -> str:
        return f"{self.task}\n\n{self.stub}"

    __repr__ = __str__
