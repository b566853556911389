"""`check`: every exercise by its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from tinyres.study.course import progress
from tinyres.study.course.exercise import Exercise
from tinyres.study.course.lesson import Lesson
from tinyres.study.course.progress import Record


class Check:
    """check.relu_backward is an exercise; dir(check) lists them, and print(check) says which are solved."""

    def __init__(self, lessons: Sequence[Lesson]):
        self._lessons = lessons
        self._exercises = {exercise.name: exercise for lesson in lessons for exercise in lesson.exercises}

    def __getattr__(self, name: str) -> Exercise:
        if name.startswith("_"):  # while copying, or asked by a notebook
            raise AttributeError(name)
        if name in self._exercises:
            return self._exercises[name]
        close = difflib.get_close_matches(name, self._exercises, n=1)
        hint = f"did you mean check.{close[0]}? " if close else ""
        raise AttributeError(f"there is no exercise {name!r}; {hint}print(check) lists them")

    def __dir__(self) -> Iterable[str]:
        return list(self._exercises)

    def __str__(self) -> str:
        records = progress.read()
        lines = []
        for lesson in self._lessons:
            lines.append(f"{lesson.number:02}  {lesson.title}")
            lines.extend(f"    {line(exercise.name, records.get(exercise.name))}" for exercise in lesson.exercises)
        solved = sum(records.get(name, Record()).solved for name in self._exercises)
        return "\n".join([*lines, "", f"{solved} of {len(self._exercises)} exercises solved"])

    __repr__ = __str__


def line(name: str, record: Record | None) -> str:
    """One exercise, and how it went so far."""
    if record is None:
        return f"○ {name}"
    count = f"{record.failures} wrong answer" + ("s" if record.failures != 1 else "")
    if record.solved:
        return f"✓ {name}" + (f"    (after {count})" if record.failures else "")
    return f"✗ {name}    ({count} so far)"
