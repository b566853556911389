"""The local derivative: where each output depends on one x (or each x on one output), a wrong formula can be read off.

Then the gradient is gy times one number for each such pair: `true` is what that number must be, `claimed` what
backward takes. Both are compared with formulas in x, y and the other inputs: for all pairs, then for those on one side
of a border only (x > 0, |x − t| > 1, a target that is 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, distinct, number, same
from tinyres.check.diagnosis.formulas import Known, candidates, ratio, simple, spelled, times

BORDERS = (0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 6, -6, 1.5, -1.5, 2.5, -2.5, 0.1, -0.1)  # as one would write them


class Pairs(NamedTuple):
    """One entry for every (output, x) that belong together."""

    true: np.ndarray
    claimed: np.ndarray
    values: Known  # x, the other inputs and y, as they are at each pair
    aligned: bool  # whether y has x's shape

    def where(self, chosen: np.ndarray) -> Pairs:
        values = {name: v[chosen] for name, v in self.values.items()}
        return Pairs(self.true[chosen], self.claimed[chosen], values, self.aligned)


def pairs(facts: Facts) -> Pairs | None:
    """None if the op is of another kind."""
    claimed = facts.claimed
    used = (facts.true != 0) | (np.abs(claimed) > 1e-10 * np.max(np.abs(claimed)))
    aligned = facts.x.shape == facts.y.shape
    if aligned and not np.any(used & ~np.eye(len(used), dtype=bool)):
        rows = columns = np.arange(len(used))
    elif np.all(used.sum(1) <= 1) or np.all(used.sum(0) <= 1):
        rows, columns = np.nonzero(used)
    else:
        return None
    if len(rows) < 4:
        return None
    values = {"x": facts.x.ravel()[columns]}
    for name, a in facts.others:
        for shape, places in ((facts.y.shape, rows), (facts.x.shape, columns)):
            if a.ndim <= len(shape) and all(n in (1, m) for n, m in zip(a.shape[::-1], shape[::-1], strict=False)):
                values[name] = np.broadcast_to(a, shape).ravel()[places]
                break
    values["y"] = facts.y.ravel()[rows]
    return Pairs(facts.true[rows, columns], claimed[rows, columns], values, aligned)


def wrong_formula(facts: Facts) -> str | None:
    p = pairs(facts)
    if p is None or same(p.claimed, p.true):
        return None
    complete = len(p.true) == max(facts.x.size, facts.y.size)  # else some are 0 in both, and not among the pairs
    few = distinct(p.true) == distinct(p.claimed) == 2
    answers = (
        wrong_mask(p, complete),
        on_one_side(p),
        another_mask(p),
        on_both_sides(p) if few else None,
        passed_on(p),
        described(p),
        on_both_sides(p),
    )
    return next(filter(None, answers), None)


# ---- on or off: ReLU, dropout, clamp, max ----------------------------------------------------------------------------


def is_mask(t: np.ndarray) -> bool:
    """Nothing but 0 and a constant, with either sign."""
    on = t != 0
    return not on.all() and bool(on.any()) and constant(np.abs(t[on])) is not None


def wrong_mask(p: Pairs, complete: bool) -> str | None:
    if not is_mask(p.true):
        return None
    on, passed = p.true != 0, constant(p.claimed)
    kind = "the mask (x > 0, as in ReLU)" if np.array_equal(on, p.values["x"] > 0) else "the mask"
    if passed is not None:
        scale = "" if np.isclose(passed, np.abs(p.true[on][0])) else ", and its scale,"
        return f"gy is passed on everywhere, also where the derivative is 0: {kind}{scale} is missing in backward."
    if complete and not np.any(p.claimed[on]) and constant(np.abs(p.claimed[~on])) is not None:
        return f"{kind} is inverted: the gradient passes exactly where it must be 0, and not where it must pass."
    return None


def another_mask(p: Pairs) -> str | None:
    """Two conditions, that of forward and that of backward. (If not aligned, the places may be wrong instead.)"""
    on, passes = p.true != 0, p.claimed != 0
    if not p.aligned or not is_mask(p.true) or not is_mask(p.claimed) or np.array_equal(passes, on):
        return None
    return (
        "Backward uses another mask than forward did: gy passes where the derivative is 0 "
        f"({np.sum(~on & passes)} times), or is blocked where it must pass ({np.sum(on & ~passes)} times, of "
        f"{len(on)}). Save the mask in forward (a second draw gives another one), and compare both conditions."
    )


# ---- right on one side of a border -----------------------------------------------------------------------------------


def on_one_side(p: Pairs) -> str | None:
    """Some pairs are right, and the wrong ones are those beyond some value of x, y, another input, or a difference."""
    wrong = np.abs(p.claimed - p.true) > 1e-6 * np.max(np.abs(p.true))
    for name, q in quantities(p.values) if wrong.any() and not wrong.all() else ():
        where = condition(name, q, wrong) or (one_of_two(name, q, wrong) if name.startswith("input") else None)
        if where and (what := explained(p.where(wrong))):
            return f"The gradient is right except where {where}: there {what}."
    return None


def on_both_sides(p: Pairs) -> str | None:
    """Wrong for x > 0 and for x < 0, in two ways: leaky ReLU, abs."""
    sides = [p.where(p.values["x"] > 0), p.where(p.values["x"] < 0)]
    if any(distinct(side.values["x"]) < 3 for side in sides):
        return None
    above, below = map(explained, sides)
    exchanged = all(same(a.true[:1], b.claimed[:1]) for a, b in (sides, sides[::-1]))
    hint = " The two slopes are exchanged." if exchanged and distinct(p.true) == 2 else ""
    return f"The gradient is wrong: where x > 0, {above}; where x < 0, {below}.{hint}" if above and below else None


def quantities(values: Known) -> Iterator[tuple[str, np.ndarray]]:
    """What a condition may ask for."""
    x, y = values["x"], values["y"]
    others = [(n, v) for n, v in values.items() if n not in ("x", "y")]
    for n, v in (("x", x), *others):
        yield from ((n, v), (f"|{n}|", np.abs(v)))
    for n, v in others:
        yield from ((f"x − {n}", x - v), (f"|x − {n}|", np.abs(x - v)), (f"x·{n}", x * v))
    yield from (("y", y), ("|y|", np.abs(y)))


def condition(name: str, q: np.ndarray, wrong: np.ndarray) -> str | None:
    """x < −1, if a border divides the wrong ones from the right ones, and hardly by chance."""
    right_values, wrong_values = distinct(q[~wrong]), distinct(q[wrong])
    chance = comb(right_values + wrong_values, wrong_values)
    at_zero = name == "x" and (np.array_equal(wrong, q > 0) or np.array_equal(wrong, q < 0))
    if min(right_values, wrong_values) < 3 or (chance < 1000 and not at_zero):
        return None
    first, last = np.min(q[wrong]), np.max(q[wrong])
    for sign, inner, outer in ((">", np.max(q[~wrong]), first), ("<", last, np.min(q[~wrong]))):
        if inner < outer:
            between = f"c, with a c between {inner:.3g} and {outer:.3g}".replace("-", "−")
            return f"{name} {sign} {nice(inner, outer) or between}"
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
    if len(values) != 2 or np.any(values % 1) or comb(len(q), int(wrong.sum())) <= 200:
        return None
    return next((f"{name} = {number(v)}" for v in values if np.array_equal(wrong, q == v)), None)


def explained(p: Pairs) -> str | None:
    """What is wrong with these, in one clause."""
    due, came = spelled(p.true, p.values), spelled(p.claimed, p.values)
    if not np.any(p.true):
        how = {"1": "", None: " all the same"}.get(came, f", times {came}")
        return f"the derivative is 0, but gy is passed on{how}"
    if due and came:
        sign = ": the sign is wrong" if same(p.claimed, -p.true) else ""
        return f"the local derivative (the slope) must be {due}, but backward uses {came}{sign}"
    factor = constant(p.claimed / p.true) if np.all(p.true) else None
    return None if factor is None else f"it is {number(factor)} times the true one"


# ---- another formula -------------------------------------------------------------------------------------------------


def passed_on(p: Pairs) -> str | None:
    if not same(p.claimed, np.ones_like(p.claimed)):
        return None
    if np.array_equal(np.round(p.true, 6), np.round(p.true)) and np.min(p.true) > 0:
        return (
            "gy arrives once at each element, but forward uses some of them several times (up to "
            f"{np.max(p.true):.0f}): what comes back from each use must be added up (np.add.at for index arrays, += in "
            "a loop)."
        )
    due = spelled(p.true, p.values) or "the derivative of forward"
    return f"gy is passed on unchanged: the local derivative is forgotten. Multiply gy by {due} (chain rule)."


def described(p: Pairs) -> str | None:
    """What is there and what should be; else by what they differ."""
    due, came = spelled(p.true, p.values), spelled(p.claimed, p.values)
    if due is None and distinct(p.true) == 2:
        due = " or ".join(number(v) for v in np.unique(np.round(p.true, 9))[::-1]) + " (a condition, a mask)"
    if due and came:
        return f"The local derivative must be {due}, but backward uses {came}."
    with np.errstate(all="ignore"):
        differences = (
            (p.true - p.claimed, "The term {} of the local derivative is missing. The rest is right."),
            (p.true / p.claimed, "The factor {} is missing in the local derivative."),
            (p.claimed / p.true, "The local derivative is the true one times {}: that factor does not belong there."),
        )
    found = ((words, spelled(values, p.values)) for values, words in differences if np.all(np.isfinite(values)))
    return next((words.format(text) for words, text in found if text), None) or one_for_another(p)


def one_for_another(p: Pairs) -> str | None:
    """One factor in place of another: claimed·due = true·came."""
    terms = [(name, e) for name, e in candidates(p.values) if np.all(np.isfinite(e)) and np.all(e) and distinct(e) > 5]
    due = {fingerprint(p.claimed * e): (name, e) for name, e in reversed(terms)}
    for came, e in terms:
        name, b = due.get(fingerprint(p.true * e), ("", e))
        c = ratio(p.claimed * b, p.true * e) if name else None
        if c is not None and simple(c):
            return f"In the local derivative, {times(c, came)} is used where {name} is due."
    return None


def fingerprint(values: np.ndarray) -> bytes:
    """The same for multiples of one another."""
    largest = values[np.argmax(np.abs(values))]
    return np.asarray(np.round(values / largest, 6) + 0.0).tobytes()
