"""One wrong backward pass, and what its diagnosis must say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from tinyres import Tensor, no_grad
from tinyres.check.diagnosis import Evidence


class Wrong(NamedTuple):
    """forward takes the inputs; backward takes gy and the inputs, and returns the gradient of each, or of the only one.

    inputs: shapes to be filled, or arrays. index: whose gradient is wrong.
    words: what the diagnosis must contain, all of them; a|b is one of the two, and a_b has a space in it.
    """

    name: str
    forward: Callable[..., np.ndarray]
    backward: Callable[..., Any]
    inputs: tuple
    words: str
    index: int = 0

    def evidence(self) -> Evidence:
        inputs = filled(self.inputs, self.name)

        def backward(gy):
            returned = self.backward(gy, *inputs)
            return returned if isinstance(returned, tuple) else (returned, *(None for _ in inputs[1:]))

        return Evidence(self.name.split(":")[0], self.forward, backward, inputs, self.index)


class WrongOp(NamedTuple):
    """The same for a function of Tensors: an op of the reader's own, or several in a row."""

    name: str
    function: Callable[..., Tensor]
    inputs: tuple
    words: str
    index: int = 0

    def evidence(self) -> Evidence:
        inputs = filled(self.inputs, self.name)

        def forward(*arrays):
            with no_grad():
                return self.function(*map(Tensor, arrays)).numpy()

        def backward(gy):
            leaves = [Tensor(a, requires_grad=a.dtype.kind == "f") for a in inputs]
            self.function(*leaves).backward(gy)
            return tuple(x.grad for x in leaves)

        return Evidence(self.name.split(":")[0], forward, backward, inputs, self.index)


def filled(inputs: tuple, name: str) -> tuple[np.ndarray, ...]:
    draws = np.random.default_rng(crc32(name.encode()))
    return tuple(draws.standard_normal(i) + 0.1 if isinstance(i, tuple) else np.array(i) for i in inputs)


def names_it(wrong: Wrong | WrongOp, said: str | None) -> bool:
    """Whether the diagnosis contains the words."""
    spoken = (said or "").casefold().replace("_", " ")
    choices = (word.casefold().replace("_", " ").split("|") for word in wrong.words.split())
    return all(re.search("|".join(map(re.escape, words)), spoken) for words in choices)
