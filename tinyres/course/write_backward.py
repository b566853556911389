"""Write a backward: forward is given; the learner's gradients are held against the true ones, and diagnosed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyres.course.compare import agree, difference
from tinyres.course.exercise import Exercise, Text
from tinyres.course.learner import Complaint, as_array, call, expect_function
from tinyres.course.source import source_of, stub_of, with_library
from tinyres.diagnosis import Evidence, diagnose

DRAWS = 4


class WriteBackward(Exercise):
    """solution: gy and forward's inputs -> a gradient, or a tuple of them; its docstring is the task.

    forward: the inputs -> y. inputs: rng -> arrays in float64 first, then what has no gradient (labels, a stride).
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
        library: Sequence[Any] = (),
    ):
        super().__init__(function.__name__, lesson, f"Write {function.__name__}.", stub_of(function), hints)
        self.function, self.forward, self.inputs, self.library = function, forward, inputs, library
        self.parameters = list(inspect.signature(function).parameters)
        self.asked = [self.parameters[1:].index(name) for name in gradients.split()]

    def examine(self, answer: Any) -> str | None:
        expect_function(answer, self.name, self.parameters)
        for draw in range(DRAWS):
            rng = np.random.default_rng([self.lesson, draw])
            inputs = self.inputs(rng)
            gy = np.asarray(rng.standard_normal(np.shape(self.forward(*inputs))))
            right = as_tuple(self.function(gy, *inputs))
            mine = self.gradients(answer, gy, inputs)
            for index, g, expected in zip(self.asked, mine, right, strict=True):
                if g is None or not agree(as_array(g, f"g{self.parameters[1 + index]}"), np.asarray(expected)):
                    return self.explained(answer, inputs, index, g, np.asarray(expected))
        return None

    def gradients(self, answer: Callable[..., Any], gy: np.ndarray, inputs: tuple) -> tuple:
        """What the learner's backward returns: as many gradients as were asked for."""
        returned = as_tuple(call(answer, (gy, *inputs), self.parameters))
        if len(returned) != len(self.asked):
            wanted = ", ".join(f"g{self.parameters[1 + index]}" for index in self.asked)
            raise Complaint(f"it returns {len(returned)} gradients, expected {len(self.asked)}: return {wanted}")
        return returned

    def explained(self, answer: Callable[..., Any], inputs: tuple, index: int, mine: Any, right: np.ndarray) -> str:
        """The first wrong element, and what the gradient checker makes of it all."""
        name = self.parameters[1 + index]
        if mine is None:
            found = f"g{name} is None: the gradient of {name} is missing"
        else:
            found = difference(f"g{name}", as_array(mine, f"g{name}"), right)
        text = self.diagnosis(answer, inputs, index)
        return f"{found.splitlines()[0]}\ndiagnosis: {text}" if text else found

    def diagnosis(self, answer: Callable[..., Any], inputs: tuple, index: int) -> str | None:
        """What the mistake probably is, with the parameters' own names in it."""
        count = sum(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in inputs)
        constants = inputs[count:]

        def backward(gy: np.ndarray) -> tuple:
            returned: list[Any] = [None] * count
            for k, g in zip(self.asked, as_tuple(answer(gy, *inputs)), strict=True):
                returned[k] = None if g is None else as_array(g, "")
            return tuple(returned)

        evidence = Evidence(self.name, lambda *a: self.forward(*a, *constants), backward, inputs[:count], index)
        try:
            text = diagnose(evidence)
        except Exception:  # the learner's code runs inside, with other gy: the numbers above still say what is wrong
            return None
        return None if text is None else named(text, self.parameters[1:], index)

    def solution(self) -> Text:
        return Text(with_library(source_of(self.function), self.library))


def as_tuple(returned: Any) -> tuple:
    return tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)


def named(text: str, names: Sequence[str], index: int) -> str:
    """The diagnosis numbers the inputs, and calls the one it looks at x: here they have names."""
    text = re.sub(r"\binput (\d+)\b", lambda found: names[int(found[1])], text)
    if names[index] != "x" and re.search(r"(?<![\w.])x(?![\w.̂])", text):
        text += f" (x stands for {names[index]} here.)"
    return text
