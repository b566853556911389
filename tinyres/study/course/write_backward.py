"""Write a backward: forward is given; the learner's gradients are compared with the true ones, and diagnosed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from tinyres.check.diagnosis import Evidence, diagnose
from tinyres.study.course.compare import CUT, cut_to_whole
from tinyres.study.course.learner import Complaint, as_array
from tinyres.study.course.write_function import Draw, WriteFunction, as_tuple


class WriteBackward(WriteFunction):
    """function: gy and forward's inputs -> a gradient, or a tuple of them.

    forward: the inputs -> y. inputs: rng -> arrays in float64 first, then what has no gradient (labels, a stride).
    gradients: whose gradients are asked for, by the parameters' names, in the order in which they are returned.
    """

    def __init__(
        self, function: Callable[..., Any], lesson: int, forward: Callable[..., Any], gradients: str, **settings: Any
    ):
        super().__init__(function, lesson, **settings)
        self.forward, self.asked = forward, [self.parameters[1:].index(name) for name in gradients.split()]

    def draw(self, rng: np.random.Generator) -> tuple:
        inputs = self.inputs(rng)
        return np.asarray(rng.standard_normal(np.shape(self.forward(*inputs)))), *inputs

    def parts(self, value: Any, right: Any) -> tuple:
        """As many gradients as were asked for; a list of lists can be one."""
        if len(self.asked) == 1 and not isinstance(value, tuple) and lengths(value) == np.shape(right):
            return (value,)
        returned = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        if len(returned) != len(self.asked):
            wanted = ", ".join(self.names)
            raise Complaint(f"it returns {len(returned)} gradients, expected {len(self.asked)}: return {wanted}")
        return returned

    @property
    def names(self) -> list[str]:
        return [f"g{self.parameters[1 + index]}" for index in self.asked]

    def label(self, k: int, draw: Draw) -> str:
        return self.names[k]

    def named(self, answer: Any, draws: Sequence[Draw], draw: Draw, k: int) -> str | None:
        mine, right = draw.mine[k], np.asarray(draw.right[k])
        if mine is not None and cut_to_whole(as_array(mine, ""), right):
            return CUT
        text = self.reordered(draws) or self.foreseen(draws) or self.diagnosis(answer, draw, k)
        return text or self.foreseen(draws, only=k) or self.changed(draws, only=k)

    def reordered(self, draws: Sequence[Draw]) -> str | None:
        for order in permutations(range(len(self.asked))):
            if self.agrees(lambda *a, o=order: tuple(as_tuple(self.function(*a))[k] for k in o), draws, None):
                came, due = (", ".join(self.names[k] for k in ks) for ks in (order, sorted(order)))
                return f"each gradient is right, but they come as {came}; return {due}, in this order."
        return None

    def diagnosis(self, answer: Callable[..., Any], draw: Draw, k: int) -> str | None:
        """What the mistake probably is, with the parameters' own names in it."""
        inputs = draw.arguments[1:]
        count = sum(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in inputs)

        def backward(gy: np.ndarray) -> tuple:
            returned: list[Any] = [None] * count
            for index, g in zip(self.asked, self.parts(answer(gy, *inputs), draw.right[0]), strict=True):
                g = None if g is None else as_array(g, "")
                returned[index] = g if g is None or g.dtype.kind == "f" else g.astype(float)
            return tuple(returned)

        def forward(*arrays: np.ndarray) -> np.ndarray:
            return np.asarray(self.forward(*arrays, *inputs[count:]))

        names = tuple(self.parameters[1 : 1 + count])
        evidence = Evidence(self.name, forward, backward, inputs[:count], self.asked[k], None, names)
        try:
            return diagnose(evidence)
        except Exception:  # the learner's code runs inside, with other gy: the numbers above still say what is wrong
            return None


def lengths(value: Any) -> tuple[int, ...] | None:
    """The shape of an array, or of a list of lists of numbers; None for a ragged one."""
    try:
        return as_array(value, "").shape
    except Complaint:
        return None
