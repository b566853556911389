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
from tinyres.check.diagnosis.formulas import Known, candidates, monomial, ratio, simple, spelled, times, written

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
    mask, steps = is_mask(p.true), distinct(p.true) == 2
    return (
        (masked(p, complete) if mask else None)
        or (beyond_a_border(p) if mask else by_sign(p, one_right=True))
        or (by_sign(p, one_right=True) or another_mask(p) if mask else beyond_a_border(p))
        or (by_sign(p) if steps and distinct(p.claimed) == 2 else None)
        or passed_on(p)
        or described(p)
        or by_sign(p)
    )


# ---- on or off: ReLU, dropout, clamp, max ----------------------------------------------------------------------------


def is_mask(t: np.ndarray) -> bool:
    """Nothing but 0 and a constant, with either sign."""
    on = t != 0
    return not on.all() and bool(on.any()) and constant(np.abs(t[on])) is not None


def masked(p: Pairs, complete: bool) -> str | None:
    on, passed = p.true != 0, constant(p.claimed)
    kind = "the mask (x > 0, as in ReLU)" if np.array_equal(on, p.values["x"] > 0) else "the mask"
    if passed is not None:
        scaled = abs(passed - 1) < 1e-6 and abs(float(np.mean(np.abs(p.true[on]))) - 1) > 1e-6
        return (
            f"gy is passed on everywhere, also where the derivative is 0: {kind} is missing in backward"
            f"{', and so is its scale' if scaled else ''}. Multiply gy by it."
        )
    if complete and not np.any(p.claimed[on]) and constant(np.abs(p.claimed[~on])) is not None:
        return f"{kind} is inverted: the gradient passes exactly where it must be 0, and not where it must pass."
    return None


def another_mask(p: Pairs) -> str | None:
    """Two conditions, that of forward and that of backward. (If not aligned, the places may be wrong instead.)"""
    on, passes = p.true != 0, p.claimed != 0
    if not p.aligned or distinct(p.claimed) != 2 or p.claimed.all() or np.array_equal(passes, on):
        return None
    return (
        "Backward uses another mask than forward did: gy passes where the derivative is 0 "
        f"({np.sum(~on & passes)} times), or is blocked where it must pass ({np.sum(on & ~passes)} times, of "
        f"{len(on)}). Save the mask in forward (a second draw gives another one), and compare both conditions."
    )


# ---- right on one side of a border -----------------------------------------------------------------------------------


def by_sign(p: Pairs, one_right: bool = False) -> str | None:
    """Told apart for x > 0 and x < 0: leaky ReLU, ELU, abs. one_right: only if the gradient is right on one side."""
    x, sides, slopes = p.values["x"], [], []
    for name, side in (("x > 0", x > 0), ("x < 0", x < 0)):
        part = p.where(side)
        if len(part.true) < 3 or distinct(x[side]) < 3:
            return None
        slopes.append([float(np.mean(v)) for v in (part.true, part.claimed)])
        due, came = spelled(part.true, part.values), spelled(part.claimed, part.values)
        if same(part.claimed, part.true):
            sides.append(f"right where {name}")
        elif due and came:
            sides.append(f"wrong where {name} (there the local derivative must be {due}, but backward uses {came})")
        elif (c := ratio(part.claimed, part.true)) is not None:
            sides.append(f"wrong where {name} (there it is {number(c)} times the true one)")
        else:
            return None
    if one_right and not any(s.startswith("right") for s in sides):
        return None
    hint = ""
    if distinct(p.true) == 2 and constant(np.abs(p.true)) is not None:
        hint = " The sign of x is missing, or wrong."
    elif distinct(p.true) == 2 and np.allclose(slopes[0], slopes[1][::-1], rtol=1e-6):
        hint = " The two slopes are exchanged."
    elif distinct(p.true) == 2 and distinct(p.claimed) <= 2:
        hint = " A slope (the leak) was forgotten, inverted, or put on the wrong side."
    return f"The gradient is {' and '.join(sides)}.{hint}"


def beyond_a_border(p: Pairs) -> str | None:
    """Some pairs are right, and the wrong ones are those beyond some value of x, y, another input, or a difference."""
    wrong = np.abs(p.claimed - p.true) > 1e-6 * np.max(np.abs(p.true))
    if not wrong.any() or wrong.all():
        return None
    for name, q in quantities(p.values):
        where = condition(name, q, wrong) or (one_of_two(name, q, wrong) if name.startswith("input") else None)
        if where and (what := explained(p.where(wrong))):
            return f"The gradient is right except where {where}: there {what}."
    return None


def quantities(values: Known) -> Iterator[tuple[str, np.ndarray]]:
    """What a condition may ask for."""
    inputs = {n: v for n, v in values.items() if n != "y"}
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
    due, came = spelled(p.true, p.values), spelled(p.claimed, p.values)
    if not np.any(p.claimed):
        return f"it is 0, but must be {due}" if due else "it is 0, though the derivative is not"
    if not np.any(p.true):
        how = {"1": "", None: " all the same"}.get(came, f", times {came}")
        return f"the derivative is 0, but gy is passed on{how}"
    if due is None and (size := constant(np.abs(p.true))) is not None:
        due = f"±{number(size)}"
    if due and came:
        return f"the local derivative must be {due}, but backward uses {came}"
    factor = constant(p.claimed / p.true) if np.all(p.true) else None
    return None if factor is None else f"it is {number(factor)} times the true one"


# ---- another formula -------------------------------------------------------------------------------------------------


def passed_on(p: Pairs) -> str | None:
    if not same(p.claimed, np.ones_like(p.claimed)):
        return None
    start = "gy is passed on unchanged: the local derivative is forgotten"
    if np.array_equal(np.round(p.true, 6), np.round(p.true)) and np.min(p.true) > 0:
        return (
            "gy arrives once at each element, but forward uses some of them several times (up to "
            f"{np.max(p.true):.0f}): what comes back from each use must be added up (np.add.at for index arrays, += in "
            "a loop)."
        )
    if due := spelled(p.true, p.values):
        return f"{start}. Multiply gy by {due} (chain rule)."
    residual = (
        " For a residual x + f(x) this means: only the path of x is counted, and what comes back through the branch f "
        "is not accumulated."
    )
    return f"{start} (chain rule).{residual if p.aligned else ''}"


def described(p: Pairs) -> str | None:
    """What is there and what should be; else by what they differ."""
    t, a = p.true, p.claimed
    due, came = spelled(t, p.values), spelled(a, p.values)
    remark = inverted_or_squared(p) or by_powers(p, 1 if due and came else 3)
    if due is None and distinct(t) == 2:
        due = " or ".join(number(v) for v in np.unique(np.round(t, 9))[::-1]) + " (a condition, a mask)"
    if due and came:
        exchanged = came.translate(str.maketrans("xy", "yx"))
        swap = " (x is used in place of y)" if exchanged == due and "x" in came else ""
        return f"The local derivative must be {due}, but backward uses {came}{swap}.{remark}"
    term = by_one_expression(p)
    if came and constant(t) is None and constant(a) is None:
        return (
            f"Backward uses {came} as local derivative, which is not the derivative of "
            f"forward.{' ' + term if term else remark}"
        )
    return f"The local derivative is wrong.{remark}" if remark else term


def inverted_or_squared(p: Pairs) -> str:
    t, a = p.true, p.claimed
    if constant(np.abs(t)) is not None or np.any(t == 0):
        return ""
    for power, what in ((-1.0, "inverted: 1/derivative"), (2.0, "applied twice (squared)")):
        if same(a, t**power, 1e-6):
            return f" That is the local derivative {what}."
    return ""


def by_powers(p: Pairs, most: int) -> str:
    """claimed / true as a product of powers of x, y and the other inputs, at most `most` of them."""
    with np.errstate(all="ignore"):
        quotient = p.claimed / p.true
    found = monomial(quotient, {n: v for n, v in p.values.items() if n != "y"}) or monomial(quotient, p.values)
    if not found or not 1 <= len(found[1]) <= most:
        return ""
    factor, powers = found
    notes = [f"{n} is missing as a factor" for n, e in powers.items() if e < 0]
    notes += [f"{n} is a factor too many, or missing as a divisor" for n, e in powers.items() if e > 0]
    notes += ["the sign is wrong"] if factor < 0 else []
    return f" That is {written(factor, powers)} times the true one: {', '.join(notes)}."


def by_one_expression(p: Pairs) -> str | None:
    """One term or one factor too many, or too few; or one factor for another: claimed·due = true·came."""
    terms = [(name, e) for name, e in candidates(p.values) if np.all(np.isfinite(e))]
    for name, e in terms:
        c = ratio(p.claimed - p.true, e) if distinct(e) > 3 or "sign(" in name or " > " in name else None
        if c is not None and simple(c):
            if c < 0:
                return f"A term of the local derivative is missing: {times(-c, name)}. The rest is right."
            much, opposite = times(c, name), times(-c, name)
            return f"The local derivative is too large by {much} ({opposite} is missing, or {much} is too many)."
    terms = [(name, e) for name, e in terms if constant(np.abs(e)) is None and distinct(e) > 2]
    for name, e in terms:
        if (c := ratio(p.claimed, e * p.true)) is not None and simple(c):
            return f"The local derivative is the true one times {times(c, name)}: that factor does not belong there."
        if (c := ratio(p.claimed * e, p.true)) is not None and simple(c):
            return f"The factor {times(1 / c, name)} is missing in the local derivative (forgotten)."
    terms = [(name, e) for name, e in terms if np.all(e) and distinct(e) > 5]
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
