"""Write a function: the learner's is compared with ours on random inputs, and the mistake in it is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinyres.study.course.compare import TOLERANCE, agree, clue, difference
from tinyres.study.course.learner import Complaint, as_array, copied
from tinyres.study.course.mutations import explained_by
from tinyres.study.course.written import Written

DRAWS = 4  # how many random inputs an answer must get right


class Draw(NamedTuple):
    """Random arguments, and what the learner's function and ours make of them: one value, or the parts of a tuple."""

    arguments: tuple
    mine: tuple
    right: tuple


class WriteFunction(Written):
    """inputs: rng -> the arguments. mistakes: (a wrong function, what to say about it); one is believed only if it
    agrees with the learner's function in every element of every draw.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        lesson: int,
        inputs: Callable[[np.random.Generator], tuple],
        hints: tuple[str, str],
        mistakes: Sequence[tuple[Callable[..., Any], str]] = (),
        library: Sequence[Any] = (),
        tolerance: float = TOLERANCE,
    ):
        super().__init__(function, lesson, hints, library)
        self.inputs, self.mistakes, self.tolerance = inputs, mistakes, tolerance

    def examine(self, answer: Any) -> str | None:
        inputs = [self.draw(np.random.default_rng([self.lesson, k])) for k in range(DRAWS)]
        values = self.answered(answer, inputs)
        rights = [self.function(*arguments) for arguments in inputs]
        parts = [self.parts(value, right) for value, right in zip(values, rights, strict=True)]
        draws = [Draw(*draw) for draw in zip(inputs, parts, map(as_tuple, rights), strict=True)]
        for draw in draws:
            wrong = [k for k, pair in enumerate(zip(draw.mine, draw.right, strict=True)) if not self.same(*pair)]
            if wrong:
                found = self.found(draw, wrong[0])
                if named := self.named(answer, draws, draw, wrong[0]):
                    return f"{found.splitlines()[0]}\ndiagnosis: {named}"
                return "\n".join(filter(None, (found, self.clue(draw, wrong), self.example(draw.arguments))))
        return None

    def draw(self, rng: np.random.Generator) -> tuple:
        """The arguments."""
        return self.inputs(rng)

    def parts(self, value: Any, right: Any) -> tuple:
        """Of the learner's value: as many as there must be."""
        if not isinstance(right, tuple):
            return (value,)
        if not isinstance(value, (tuple, list)) or len(value) != len(right):
            came = f"{len(value)} values" if isinstance(value, (tuple, list)) else type(value).__name__
            raise Complaint(f"it must return {len(right)} values, got {came}")
        return tuple(value)

    def label(self, k: int, draw: Draw) -> str:
        """What the k-th part is called."""
        return "the result" if len(draw.right) == 1 else f"value {k} of the result"

    def same(self, mine: Any, right: Any) -> bool:
        try:
            return agree(as_array(mine, ""), np.asarray(right), self.tolerance)
        except Complaint:
            return False

    def found(self, draw: Draw, k: int) -> str:
        """How the k-th part is wrong."""
        if draw.mine[k] is None:
            return f"{self.label(k, draw)} is None: it is missing"
        mine = as_array(draw.mine[k], self.label(k, draw))
        return difference(self.label(k, draw), mine, np.asarray(draw.right[k]), self.tolerance)

    def named(self, answer: Any, draws: Sequence[Draw], draw: Draw, k: int) -> str | None:
        """What the mistake is that makes the k-th part wrong."""
        return self.foreseen(draws) or self.changed(draws)

    def foreseen(self, draws: Sequence[Draw], only: int | None = None) -> str | None:
        """The text of the first known mistake that gives what the learner's gives; or its k-th part only."""
        return next((text for wrong, text in self.mistakes if self.agrees(wrong, draws, only)), None)

    def changed(self, draws: Sequence[Draw], only: int | None = None) -> str | None:
        """The same for a change to our solution. But NaN says little of what came before it."""
        finite = all(is_finite(part) for draw in draws for part in draw.mine)
        return explained_by(self.function, lambda wrong: self.agrees(wrong, draws, only)) if finite else None

    def agrees(self, wrong: Callable[..., Any], draws: Sequence[Draw], only: int | None) -> bool:
        for draw in draws:
            pairs = list(zip(draw.mine, as_tuple(wrong(*map(copied, draw.arguments))), strict=True))
            if not all(self.same(*pair) for pair in (pairs if only is None else pairs[only : only + 1])):
                return False
        return True

    def clue(self, draw: Draw, wrong: Sequence[int]) -> str | None:
        """What is right in it."""
        if len(draw.right) == 1:
            return clue(as_array(draw.mine[0], ""), np.asarray(draw.right[0]), self.tolerance)
        good = [f"value {k}" for k in range(len(draw.right)) if k not in wrong]
        return f"Right: {', '.join(good)}." if good else None

    def example(self, arguments: tuple) -> str:
        """The inputs at which it differed, where they are short."""
        return "for " + ", ".join(f"{name} = {short(a)}" for name, a in zip(self.parameters, arguments, strict=True))


def as_tuple(returned: Any) -> tuple:
    return returned if isinstance(returned, tuple) else (returned,)


def is_finite(part: Any) -> bool:
    return part is None or bool(np.all(np.isfinite(as_array(part, ""))))


def short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"an array {value.shape}"
    if isinstance(value, (np.ndarray, list)):
        return np.array2string(np.asarray(value), precision=3, separator=", ")
    return f"{value:.4g}" if isinstance(value, float) else str(value) if isinstance(value, (int, str)) else "…"
