"""A call of an op as hypothesis draws it: shapes, settings and a seed. The elements come from NumPy, by the seed.

    CALL = DrawnOp(
        draw=lambda draw, length: ([(draw(length), 3)], {"dim": 1}),        the shapes of the inputs, and settings
        call=lambda lib, x, dim: lib.nn.functional.softmax(x, dim),         lib is tinyres or torch
        define=lambda x, dim: np.exp(x) / np.exp(x).sum(dim, keepdims=True),    the same in plain NumPy, by definition
    )

The tables of all ops stand in elementwise.py, sums.py, shapes.py, images.py and normalisation.py; every_op.py joins
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinyres
from tinyres import Tensor

Shape = tuple[int, ...]
LENGTHS = st.integers(1, 4)  # of an axis, unless an op needs more
EMPTY = st.sampled_from([0, 2])  # where a test wants inputs without elements
SEEDS = st.integers(0, 2**32 - 1)


# ---- values ----------------------------------------------------------------------------------------------------------


def normal(draws: np.random.Generator, shapes: Sequence[Shape]) -> list[np.ndarray]:
    return [draws.standard_normal(shape) for shape in shapes]


def positive(draws: np.random.Generator, shapes: Sequence[Shape]) -> list[np.ndarray]:
    """From 0.5 to 3: for ops with a pole or an end at 0."""
    return [draws.uniform(0.5, 3, shape) for shape in shapes]


def apart(draws: np.random.Generator, shapes: Sequence[Shape]) -> list[np.ndarray]:
    """About −2 to 2, with a gap between any two values and around 0: for ops with a kink where values meet, or at 0."""
    return [4 * (shuffled(draws, shape) - np.prod(shape) // 2) / max(1, np.prod(shape)) for shape in shapes]


def shuffled(draws: np.random.Generator, shape: Shape) -> np.ndarray:
    """0.5, 1.5, 2.5, … in random order, give or take 0.3: no two come nearer than 0.4."""
    size = int(np.prod(shape))
    return (draws.permutation(size) + draws.uniform(0.2, 0.8, size)).reshape(shape)


# ---- calls -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DrawnOp:
    """How to draw calls of an op, and three ways to run them."""

    draw: Callable[[Callable, st.SearchStrategy[int]], tuple[list[Shape], dict[str, Any]]]  # (draw, length) -> …
    call: Callable[..., Any]  # (lib, *tensors, **settings) -> tensor
    define: Callable[..., Any]  # (*arrays, **settings) -> array
    fill: Callable[[np.random.Generator, Sequence[Shape]], list[np.ndarray]] = normal
    kink: Callable[..., np.ndarray] | None = None  # (*arrays, **settings): what crosses 0 where the slope jumps
    in_torch: bool = True
    takes_empty: bool = True  # inputs without elements
    takes_two: bool = False  # two inputs, or more, that may have the same shape
    per_image: bool = False  # the first axis is the batch's, and no image's output depends on another image


class Call:
    """One call. `support.results` and its like run it as they run a Case."""

    def __init__(self, name: str, op: DrawnOp, shapes: list[Shape], settings: dict[str, Any], seed: int):
        self.name, self.op, self.fn, self.settings = name, op, op.call, settings
        self.shapes, self.seed = shapes, seed

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        return f"{self.name}({', '.join(map(str, self.shapes))}{settings}), seed {self.seed}"

    def arrays(self) -> list[np.ndarray]:
        """The inputs' values, in float64."""
        return [np.asarray(a) for a in self.op.fill(np.random.default_rng(self.seed), self.shapes)]

    def tensors(self) -> list[Tensor]:
        return [Tensor(a, requires_grad=True) for a in self.arrays()]

    def gy(self, shape: Shape) -> np.ndarray:
        """The gradient that arrives from above: random, for ones would hide errors that sum to nothing."""
        return np.asarray(np.random.default_rng([self.seed, 1]).standard_normal(tuple(shape)))

    def __call__(self, *tensors: Tensor) -> Tensor:
        return self.fn(tinyres, *tensors, **self.settings)

    def defined(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return self.op.define(*arrays, **self.settings)

    def is_smooth(self) -> bool:
        """Does every value stand clear of a kink? Nearer than 1e-4, rounding in float32 may put it on either side."""
        kink = self.op.kink
        return kink is None or bool((np.abs(kink(*self.arrays(), **self.settings)) > 1e-4).all())


# ---- shapes that several ops draw ------------------------------------------------------------------------------------


def any_shape(draw: Callable, length: st.SearchStrategy[int], least: int = 0) -> Shape:
    """`least` to 4 axes"""
    return tuple(draw(st.lists(length, min_size=least, max_size=4)))


def broadcasting(draw: Callable, length: st.SearchStrategy[int], least: int = 0) -> tuple[Shape, Shape]:
    """Two shapes that broadcast: either may have length 1 where the other has more, or lack axes on the left."""
    shape = any_shape(draw, length, least)
    if draw(st.booleans()):
        return shape, shape
    a, b = (tuple(1 if draw(st.booleans()) else n for n in shape) for _ in range(2))
    short = b[draw(st.integers(0, len(b))) :]
    return (a, short) if draw(st.booleans()) else (short, a)


def pairs(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | tuple[int, int]]:
    """An int, or one for the rows and one for the columns."""
    return st.one_of(values, st.tuples(values, values))


def as_pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def some_axes(draw: Callable, ndim: int) -> int | tuple[int, ...] | None:
    """None, one axis or several, counted from the front or from the back."""
    if ndim == 0 or draw(st.booleans()):
        return None
    several = draw(st.lists(st.integers(0, ndim - 1), min_size=1, max_size=ndim, unique=True))
    counted = tuple(axis - ndim if draw(st.booleans()) else axis for axis in several)
    return counted[0] if len(counted) == 1 else counted
