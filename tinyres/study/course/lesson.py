"""A lesson's exercises, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinyres.study.course.answers import Choose, FindBug, Predict
from tinyres.study.course.exercise import Exercise
from tinyres.study.course.write_backward import WriteBackward
from tinyres.study.course.write_function import WriteFunction


class Lesson:
    """Its methods make an exercise each, in the words of the kind's own class; but for predict and choose they are
    decorators."""

    def __init__(self, number: int, title: str):
        self.number, self.title = number, title
        self.exercises: list[Exercise] = []

    def kind(self, kind: Callable[..., Exercise], **settings: Any) -> Callable[[Callable], Exercise]:
        """Of a kind that one lesson alone has."""
        return lambda function: self._add(kind(function, self.number, **settings))

    def backward(self, **settings: Any) -> Callable[[Callable], WriteBackward]:
        return lambda function: self._add(WriteBackward(function, self.number, **settings))

    def function(self, **settings: Any) -> Callable[[Callable], WriteFunction]:
        return lambda function: self._add(WriteFunction(function, self.number, **settings))

    def bug(self, **settings: Any) -> Callable[[Callable], FindBug]:
        return lambda function: self._add(FindBug(function, self.number, **settings))

    def predict(self, name: str, **settings: Any) -> Predict:
        return self._add(Predict(name, self.number, **settings))

    def choose(self, name: str, **settings: Any) -> Choose:
        return self._add(Choose(name, self.number, **settings))

    def _add(self, exercise: Any) -> Any:
        self.exercises.append(exercise)
        return exercise
