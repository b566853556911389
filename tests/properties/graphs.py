"""Random graphs: each step takes one or two of the matrices there are, and makes another.

All are n×n with values from −1 to 1, so any step may follow any other, and nothing overflows however deep the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from properties.calls import SEEDS

# lib: tinyres, or properties.duals. n: the number of rows
STEPS: dict[str, Callable[..., Any]] = {
    "add": lambda lib, n, a, b: (a + b) * 0.5,
    "subtract": lambda lib, n, a, b: (a - b) * 0.5,
    "multiply": lambda lib, n, a, b: a * b,
    "divide": lambda lib, n, a, b: a / (b + 2),
    "matmul": lambda lib, n, a, b: (a @ b) * (1 / n),
    "cat": lambda lib, n, a, b: lib.cat([a, b], 0)[1 : n + 1],
    "spread": lambda lib, n, a, b: a * b.sum(1, keepdim=True) * (1 / n),
    "center": lambda lib, n, a, b: (a - b.mean()) * 0.5,
    "exp": lambda lib, n, a, _: (a - 1).exp(),
    "tanh": lambda lib, n, a, _: a.tanh(),
    "sqrt": lambda lib, n, a, _: (a * a * 0.5 + 0.5).sqrt(),
    "relu": lambda lib, n, a, _: a.relu(),
    "transpose": lambda lib, n, a, _: a.transpose(0, 1),
    "reshape": lambda lib, n, a, _: a.reshape(n * n)[::-1].reshape(n, n),
    "repeat": lambda lib, n, a, _: a[[0] * n],
    "detach": lambda lib, n, a, _: a.detach(),
}


@dataclass(frozen=True)
class Graph:
    n: int
    leaves: int
    steps: tuple[tuple[str, int, int], ...]  # (name, which matrix is a, which is b)
    seed: int

    def values(self) -> list[np.ndarray]:
        """What the leaves hold."""
        return list(np.random.default_rng(self.seed).uniform(-1, 1, (self.leaves, self.n, self.n)))

    def directions(self) -> np.ndarray:
        """One for each leaf, and a last one for gy."""
        return np.random.default_rng([self.seed, 1]).standard_normal((self.leaves + 1, self.n, self.n))

    def run(self, lib: Any, leaves: Sequence[Any], at: Callable[[int, Any], Any] = lambda k, made: made) -> list[Any]:
        """All the matrices, leaves first. at(k, matrix k): what goes on in its place."""
        made = list(leaves)
        for name, a, b in self.steps:
            made.append(at(len(made), STEPS[name](lib, self.n, made[a], made[b])))
        return made


@st.composite
def graphs(draw: Callable, depth: int) -> Graph:
    leaves = draw(st.integers(1, 3))
    steps = tuple(
        (draw(st.sampled_from(sorted(STEPS))), draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1)))
        for k in range(leaves, leaves + depth)
    )
    return Graph(draw(st.integers(1, 3)), leaves, steps, draw(SEEDS))
