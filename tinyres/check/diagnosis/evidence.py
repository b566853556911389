"""What is known of a gradient that failed its check, and what can be found out by asking forward and backward."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np

TOLERANCE = 1e-7  # two gradients are the same: their difference, relative to the largest element
MOST_EVALUATIONS = 6000  # of forward, for one Jacobian
MOST_ELEMENTS = 4_000_000  # of one Jacobian
PLACEHOLDER = re.compile(r"\binput[ _](\d+)(?!\d)|(?<![A-Za-z_.])x(?![A-Za-z_\u0302])")  # x̂ (with U+0302) is no x
TAKEN = ("y", "gy", "x̂", "mean", "std")  # our own words


class Evidence(NamedTuple):
    """A failed check.

    op: its name, for messages; nothing is concluded from it.
    forward: arrays -> array; pure and deterministic.
    backward: gy -> the gradient for each input, at `inputs`; may be called often, may raise.
    inputs: where it was checked, in float64 (labels in integers).
    index: the input whose gradient is wrong.
    problem: what was complained of, if it was no wrong number: an exception, or a wrong shape or dtype.
    names: what forward calls its inputs; without them they are x and input 0, input 1, …
    """

    op: str
    forward: Callable[..., np.ndarray]
    backward: Callable[[np.ndarray], tuple[np.ndarray | None, ...]]
    inputs: tuple[np.ndarray, ...]
    index: int  # type: ignore[assignment]  # tuple's own index() is not needed here
    problem: str | None = None
    names: tuple[str, ...] = ()


class Facts:
    """One input's gradient as two matrices: the truth, measured on forward, and what backward claims.

    x: the input, y: the output; `true` and `claimed` have one row per element of y and one column per element of x,
    so that the gradient for some gy is gy.ravel() @ true.
    """

    claimed: np.ndarray

    def __init__(self, evidence: Evidence):
        self.evidence = evidence
        self.forward, self.inputs, self.index = evidence.forward, evidence.inputs, evidence.index
        self.x = self.inputs[self.index]
        self.y = np.asarray(self.forward(*self.inputs))

    @cached_property
    def true(self) -> np.ndarray:
        return jacobian(self.forward, self.inputs, self.index)

    @cached_property
    def others(self) -> list[tuple[str, np.ndarray]]:
        """The other inputs in floating point, by name."""
        return [
            (f"input {j}", a) for j, a in enumerate(self.inputs) if j != self.index and np.asarray(a).dtype.kind == "f"
        ]

    @cached_property
    def gys(self) -> np.ndarray:
        """Some random gy, (6, *y.shape)."""
        return np.random.default_rng(7).standard_normal((6, *self.y.shape))

    def y_with(self, j: int, value: float) -> np.ndarray:
        """The output if element j of x had this value; NaN if y's shape changes with it."""
        x = np.array(self.x)
        x.flat[j] = value
        y = np.asarray(self.forward(*(x if k == self.index else a for k, a in enumerate(self.inputs))))
        return y if y.shape == self.y.shape else np.full(self.y.shape, np.nan)

    def gys_of_x(self) -> np.ndarray:
        """`gys` in x's shape: as they are, or at each x that of the one output that it reaches."""
        if self.x.shape == self.y.shape:
            return self.gys
        return self.gys.reshape(6, -1)[:, (self.true != 0).argmax(0)].reshape(6, *self.x.shape)

    def claiming(self, claimed: np.ndarray) -> Facts:
        """The same facts, but for another claim."""
        other = Facts(self.evidence)
        other.true, other.claimed = self.true, claimed
        return other

    def gradients(self, matrix: np.ndarray) -> np.ndarray:
        """What `true` or `claimed` makes of each of `gys`: (6, *x.shape)."""
        return (self.gys.reshape(6, -1) @ matrix).reshape(6, *self.x.shape)


Hypothesis = Callable[[Facts], str | None]


def first_of(hypotheses: Iterable[Hypothesis], facts: Facts) -> str | None:
    """What the first hypothesis that holds says."""
    return next(filter(None, (hypothesis(facts) for hypothesis in hypotheses)), None)


def affordable(evidence: Evidence) -> bool:
    """Whether the Jacobian is small enough to be measured."""
    nx, ny = evidence.inputs[evidence.index].size, np.size(evidence.forward(*evidence.inputs))
    return 4 * nx <= MOST_EVALUATIONS and nx * ny <= MOST_ELEMENTS


def same(a: np.ndarray, b: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    """Equal in shape and, up to rounding, in every element."""
    if np.shape(a) != np.shape(b):
        return False
    scale = np.max(np.abs(b), initial=0.0)
    return bool(np.isfinite(scale)) and bool(np.all(np.abs(np.subtract(a, b)) <= tolerance * scale + 1e-300))


def slope(forward: Callable[..., np.ndarray], inputs: Sequence[np.ndarray], index: int, d: np.ndarray) -> np.ndarray:
    """How y changes per unit when inputs[index] moves along d: central differences of fourth order."""

    def y(step: float) -> np.ndarray:
        return np.asarray(forward(*(a + step * d if j == index else a for j, a in enumerate(inputs))), dtype=float)

    h = 1e-4
    return (8 * (y(h) - y(-h)) - (y(2 * h) - y(-2 * h))) / (12 * h)


def jacobian(forward: Callable[..., np.ndarray], inputs: Sequence[np.ndarray], index: int) -> np.ndarray:
    """dy/dx, (y.size, x.size), column by column."""
    x = np.asarray(inputs[index])
    units = np.eye(x.size).reshape(x.size, *x.shape)
    columns = [slope(forward, inputs, index, unit).ravel() for unit in units]
    matrix = np.stack(columns, axis=1) if columns else np.zeros((1, 0))
    matrix[np.abs(matrix) < 1e-10 * np.max(np.abs(matrix), initial=0.0)] = 0  # rounding: so that zeros are seen as such
    return matrix


def number(c: float) -> str:
    """−3, 1/8, 0.7071: a factor as one would write it."""
    ratio = Fraction(float(c)).limit_denominator(4096)
    if abs(float(ratio) - c) <= 1e-7 * abs(c) and (ratio.denominator == 1 or abs(ratio.numerator) <= 9):
        return str(ratio).replace("-", "−")
    return f"{c:.6g}".replace("-", "−")


def constant(values: np.ndarray, tolerance: float = TOLERANCE) -> float | None:
    """The one value that all of these are, or None."""
    values = np.ravel(values)
    if values.size == 0 or not same(values, np.full(values.shape, values[0]), tolerance):
        return None
    return float(np.mean(values))


def fit(target: np.ndarray, terms: Sequence[np.ndarray]) -> np.ndarray | None:
    """The c with target = Σ c[i]·terms[i], if it holds exactly and the c are unique."""
    columns = np.stack([np.ravel(t) for t in terms], axis=1)
    lengths = np.linalg.norm(columns, axis=0)
    if not np.all(np.isfinite(lengths)) or np.any(lengths == 0) or columns.shape[0] <= 2 * columns.shape[1]:
        return None
    c, _, rank, _ = np.linalg.lstsq(columns / lengths, np.ravel(target), rcond=1e-9)
    if rank < columns.shape[1] or not same(columns / lengths @ c, np.ravel(target)):
        return None
    c = c / lengths
    c[np.abs(c) * lengths < 1e-6 * np.linalg.norm(target)] = 0
    return c


def distinct(values: np.ndarray) -> int:
    """How many values there are, up to rounding."""
    return len(np.unique(np.round(values, 7)))


def subsets(ndim: int) -> Iterator[tuple[int, ...]]:
    """Every choice of axes but the empty one, small ones first."""
    choices = [tuple(a for a in range(ndim) if bits >> a & 1) for bits in range(1, 2**ndim)]
    return iter(sorted(choices, key=len))


def places_along(shape: Sequence[int], axes: Sequence[int]) -> np.ndarray:
    """For each element, where it is along these axes: numbered from 0, the same for all places along the others."""
    kept = [n if axis in axes else 1 for axis, n in enumerate(shape)]
    return np.broadcast_to(np.arange(np.prod(kept)).reshape(kept), shape)


def joined(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def named(answer: str, evidence: Evidence) -> str:
    """answer, with evidence.names filled in where they cannot be mistaken for anything else."""
    own = name_of(evidence, evidence.index) or "x"

    def name(found: re.Match[str]) -> str:
        if found[1] is None or int(found[1]) == evidence.index:
            return own
        other = name_of(evidence, int(found[1]))
        return other if other and other != own else found[0]

    return PLACEHOLDER.sub(name, answer) if evidence.names else answer


def name_of(evidence: Evidence, j: int) -> str | None:
    if j >= len(evidence.names) or evidence.names[j] in TAKEN:
        return None
    return evidence.names[j]
