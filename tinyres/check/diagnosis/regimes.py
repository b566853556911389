"""The gradient is wrong only beyond a border: where |x − t| > 1, where x < −0.5, where a < b."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

from tinyres.check.diagnosis.evidence import constant, distinct, number
from tinyres.check.diagnosis.formulas import Known, spelled
from tinyres.check.diagnosis.pairs import Pairs

BORDERS = (0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 6, -6, 1.5, -1.5, 2.5, -2.5, 0.1, -0.1)  # as one would write them


def beyond_a_border(p: Pairs) -> str | None:
    """Some pairs are right, and the wrong ones are those beyond some value of x, y, another input, or a difference."""
    wrong = np.abs(p.claimed - p.true) > 1e-6 * np.max(np.abs(p.true))
    if not wrong.any() or wrong.all():
        return None
    for name, q in quantities(p.values):
        where = condition(name, q, wrong) or (one_of_two(name, q, wrong) if name.startswith("input") else None)
        if where is None:
            continue
        what = explained(p.true[wrong], p.claimed[wrong], {n: v[wrong] for n, v in p.values.items()})
        if what:
            return f"The gradient is right except where {where}: there {what}."
    return None


def quantities(values: Known) -> Iterator[tuple[str, np.ndarray]]:
    """What a condition may ask for."""
    inputs = {n: v for n, v in values.items() if n == "x" or n.startswith("input")}
    for n, v in inputs.items():
        yield n, v
        yield f"|{n}|", np.abs(v)
    for n, v in inputs.items():
        if n != "x":
            yield f"x − {n}", values["x"] - v
            yield f"|x − {n}|", np.abs(values["x"] - v)
            yield f"x·{n}", values["x"] * v
    yield "y", values["y"]
    yield "|y|", np.abs(values["y"])


def condition(name: str, q: np.ndarray, wrong: np.ndarray) -> str | None:
    """x < −1, if a border divides the wrong ones from the right ones, and hardly by chance."""
    right_values, wrong_values = distinct(q[~wrong]), distinct(q[wrong])
    if min(right_values, wrong_values) < 3 or comb(right_values + wrong_values, wrong_values) < 1000:
        return None
    for sign, inner, outer in (
        (">", np.max(q[~wrong]), np.min(q[wrong])),
        ("<", np.max(q[wrong]), np.min(q[~wrong])),
    ):
        if inner < outer:
            if border := nice(inner, outer):
                return f"{name} {sign} {border}"
            return f"{name} {sign} c, with a c between {inner:.3g} and {outer:.3g}".replace("-", "−")
    first, last = np.min(q[wrong]), np.max(q[wrong])
    below, above = q[q < first], q[q > last]
    if np.all(wrong[(q >= first) & (q <= last)]) and below.size and above.size:
        lower, upper = nice(np.max(below), first), nice(last, np.min(above))
        return f"{lower} < {name} < {upper}" if lower and upper else None
    return None


def nice(low: float, high: float) -> str | None:
    """A number between these two as one would write it."""
    return next((number(b) for b in BORDERS if low <= b <= high), None)


def one_of_two(name: str, q: np.ndarray, wrong: np.ndarray) -> str | None:
    """A target, say, that is 0 or 1: wrong for one of them."""
    values = np.unique(q)
    if len(values) == 2 and np.array_equal(np.round(values), values) and comb(len(q), int(wrong.sum())) > 200:
        for value in values:
            if np.array_equal(wrong, q == value):
                return f"{name} = {number(value)}"
    return None


def explained(true: np.ndarray, claimed: np.ndarray, known: Known) -> str | None:
    if not np.any(claimed):
        due = spelled(true, known)
        return f"it is 0, but must be {due}" if due else "it is 0, though the derivative is not"
    if not np.any(true):
        passed = spelled(claimed, known)
        how = {"1": "", None: " all the same"}.get(passed, f", times {passed}")
        return f"the derivative is 0, but gy is passed on{how}"
    due, came = spelled(true, known), spelled(claimed, known)
    if due is None and (size := constant(np.abs(true))) is not None:
        due = f"±{number(size)}"
    if due and came:
        return f"the local derivative must be {due}, but backward uses {came}"
    factor = constant(claimed / true) if np.all(true) else None
    if factor is not None:
        return f"it is {number(factor)} times the true one"
    return None
