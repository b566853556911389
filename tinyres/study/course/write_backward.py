"""Write a backward: forward is given; the learner's gradients are compared with the true ones, and diagnosed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from tinyres.check.diagnosis import Evidence, diagnose
from tinyres.study.course.compare import CUT, agree, cut_to_whole, difference
from tinyres.study.course.exercise import Exercise, Text
from tinyres.study.course.learner import Complaint, as_array, call, copied, expect_function
from tinyres.study.course.mutations import explained_by
from tinyres.study.course.source import source_of, stub_of, with_library

DRAWS = 4


class WriteBackward(Exercise):
    """solution: gy and forward's inputs -> a gradient, or a tuple of them; its docstring is the task.

    forward: the inputs -> y. inputs: rng -> arrays in float64 first, then what has no gradient (labels, a stride).
    mistakes: (a wrong backward, what to say about it), where the gradient checker has nothing better to say.
    gradients: whose gradients are asked for, by the parameters' names, in the order in which they are returned.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        lesson: int,
        forward: Callable[..., np.ndarray],
        gradients: str,
        inputs: Callable[[np.random.Generator], tuple],
        hints: tuple[str, str],
        mistakes: Sequence[tuple[Callable[..., Any], str]] = (),
        library: Sequence[Any] = (),
    ):
        super().__init__(function.__name__, lesson, f"Write {function.__name__}.", stub_of(function), hints)
        self.function, self.forward, self.inputs, self.library = function, forward, inputs, library
        self.mistakes = mistakes
        self.parameters = list(inspect.signature(function).parameters)
        self.asked = [self.parameters[1:].index(name) for name in gradients.split()]

    def examine(self, answer: Any) -> str | None:
        expect_function(answer, self.name, self.parameters)
        draws = [self.draw(np.random.default_rng([self.lesson, k])) for k in range(DRAWS)]
        answers = [self.gradients(answer, *arguments) for arguments in draws]
        for (gy, inputs), mine in zip(draws, answers, strict=True):
            for index, g, right in zip(self.asked, mine, as_tuple(self.function(gy, *inputs)), strict=True):
                right = np.asarray(right)
                if g is None or not agree(as_array(g, f"g{self.parameters[1 + index]}"), right):
                    whole = g is not None and cut_to_whole(as_array(g, ""), right)
                    text = CUT if whole else self.known(draws, answers) or self.diagnosis(answer, inputs, index)
                    text = text or self.known_of_one(draws, answers, index)
                    return self.explained(index, g, right, text)
        return None

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, tuple]:
        """gy, and forward's inputs."""
        inputs = self.inputs(rng)
        return np.asarray(rng.standard_normal(np.shape(self.forward(*inputs)))), inputs

    def gradients(self, answer: Callable[..., Any], gy: np.ndarray, inputs: tuple) -> tuple:
        """What the learner's backward returns: as many gradients as were asked for."""
        value = call(answer, (gy, *inputs), self.parameters)
        returned = as_tuple(value)
        if len(self.asked) == 1 and isinstance(value, list) and np.shape(inputs[self.asked[0]]) == lengths(value):
            returned = (value,)  # the one gradient, as a list of lists
        if len(returned) != len(self.asked):
            wanted = ", ".join(f"g{self.parameters[1 + index]}" for index in self.asked)
            raise Complaint(f"it returns {len(returned)} gradients, expected {len(self.asked)}: return {wanted}")
        return returned

    def known(self, draws: Sequence[tuple], answers: Sequence[tuple]) -> str | None:
        """The text for the mistake on our own list that explains every draw in every element."""
        names = [f"g{self.parameters[1 + index]}" for index in self.asked]
        for order in permutations(range(len(self.asked))):
            if self.explain(lambda *a, o=order: [as_tuple(self.function(*a))[k] for k in o], draws, answers):
                came = ", ".join(names[k] for k in order)
                return f"each gradient is right, but they come as {came}; return {', '.join(names)}, in this order."
        return next((text for wrong, text in self.mistakes if self.explain(wrong, draws, answers)), None)

    def known_of_one(self, draws: Sequence[tuple], answers: Sequence[tuple], index: int) -> str | None:
        """The same for a mistake that is made in one gradient only, or beside another mistake."""
        k = self.asked.index(index)

        def only(gradients: Any) -> tuple:
            return tuple(g if i == k else None for i, g in enumerate(as_tuple(gradients)))

        mine = [only(gradients) for gradients in answers]

        def agrees(wrong: Callable[..., Any]) -> bool:
            return self.explain(lambda gy, *a: only(wrong(gy.copy(), *map(copied, a))), draws, mine)

        foreseen = next((text for wrong, text in self.mistakes if agrees(wrong)), None)
        return foreseen or explained_by(self.function, agrees)

    def explain(self, wrong: Callable[..., Any], draws: Sequence[tuple], answers: Sequence[tuple]) -> bool:
        """Whether `wrong` gives what the learner's backward gave, in every draw."""
        for (gy, inputs), mine in zip(draws, answers, strict=True):
            pairs = zip(mine, as_tuple(wrong(gy, *inputs)), strict=True)
            if not all(g is guess is None or matches(g, guess) for g, guess in pairs):
                return False
        return True

    def explained(self, index: int, mine: Any, right: np.ndarray, text: str | None) -> str:
        """The first wrong element, and what is known of the mistake."""
        name = self.parameters[1 + index]
        if mine is None:
            found = f"g{name} is None: the gradient of {name} is missing"
        else:
            found = difference(f"g{name}", as_array(mine, f"g{name}"), right)
        return f"{found.splitlines()[0]}\ndiagnosis: {text}" if text else found

    def diagnosis(self, answer: Callable[..., Any], inputs: tuple, index: int) -> str | None:
        """What the mistake probably is, with the parameters' own names in it."""
        count = sum(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in inputs)
        constants = inputs[count:]

        def backward(gy: np.ndarray) -> tuple:
            returned: list[Any] = [None] * count
            for k, g in zip(self.asked, as_tuple(answer(gy, *inputs)), strict=True):
                g = None if g is None else as_array(g, "")
                returned[k] = g if g is None or g.dtype.kind == "f" else g.astype(float)  # np.where(x > 0, 1, 0)
            return tuple(returned)

        names = tuple(self.parameters[1 : 1 + count])
        evidence = Evidence(
            self.name, lambda *a: self.forward(*a, *constants), backward, inputs[:count], index, None, names
        )
        try:
            return diagnose(evidence)
        except Exception:  # the learner's code runs inside, with other gy: the numbers above still say what is wrong
            return None

    def solution(self) -> Text:
        return Text(with_library(source_of(self.function), self.library))


def matches(mine: Any, guess: Any) -> bool:
    return mine is not None and guess is not None and agree(np.asarray(mine), np.asarray(guess))


def lengths(value: list) -> tuple[int, ...] | None:
    """The shape of a list of lists of numbers; None for a ragged one, or one of arrays that differ."""
    try:
        return as_array(value, "").shape
    except Complaint:
        return None


def as_tuple(returned: Any) -> tuple:
    return tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
