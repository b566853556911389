"""The local derivative: where each output depends on one x (or each x on one output), a wrong formula can be read off.

Then the gradient is gy times one number for each such pair: `true` is what that number must be, `claimed` what
backward takes. Both are compared with formulas in x, y and the other inputs.
"""

from __future__ import annotations

import numpy as np

from tinyres.diagnosis.evidence import Facts, constant, distinct, number, same
from tinyres.diagnosis.formulas import candidates, expressions, monomial, ratio, simple, spelled, times, written
from tinyres.diagnosis.pairs import Pairs, pairs
from tinyres.diagnosis.regimes import beyond_a_border
from tinyres.diagnosis.sums import wrong_term


def wrong_formula(facts: Facts) -> str | None:
    p = pairs(facts)
    if p is None or same(p.claimed, p.true):
        return None
    return (
        masked(p, facts)
        or one_sided(p)
        or beyond_a_border(p)
        or another_mask(p, facts)
        or (by_sign(p) if steps(p.true) and steps(p.claimed) else None)
        or wrong_term(p)
        or path(p, facts)
        or passed_on(p, facts)
        or described(p)
        or by_sign(p)
    )


def masked(p: Pairs, facts: Facts) -> str | None:
    """Derivatives that are one constant here and zero there: ReLU, dropout, clamp, max."""
    t, a = p.true, p.claimed
    on = t != 0
    if on.all() or not on.any() or constant(np.abs(t[on])) is None:
        return None
    kind = "the mask (x > 0, as in ReLU)" if np.array_equal(on, p.values["x"] > 0) else "the mask"
    passed = constant(a)
    if passed is not None:
        scaled = abs(passed - 1) < 1e-6 and abs(float(np.mean(np.abs(t[on]))) - 1) > 1e-6
        return (
            f"gy is passed on everywhere, also where the derivative is 0: {kind} is missing in backward"
            f"{', and so is its scale' if scaled else ''}. Multiply gy by it."
        )
    complete = len(t) == max(facts.x.size, facts.y.size)  # else some are 0 in both, and not among the pairs
    if complete and not np.any(a[on]) and constant(np.abs(a[~on])) is not None:
        return f"{kind} is inverted: the gradient passes exactly where it must be 0, and not where it must pass."
    return None


def another_mask(p: Pairs, facts: Facts) -> str | None:
    """Two conditions, that of forward and that of backward."""
    t, a = p.true, p.claimed
    on = t != 0
    if on.all() or not on.any() or constant(np.abs(t[on])) is None:
        return None
    aligned = facts.x.shape == facts.y.shape  # else it may be the places that are wrong, not the mask
    if aligned and len(np.unique(np.round(a, 9))) == 2 and not a.all() and not np.array_equal(a != 0, on):
        return (
            "Backward uses another mask than forward did: gy passes where the derivative is 0 "
            f"({np.sum(~on & (a != 0))} times), or is blocked where it must pass ({np.sum(on & (a == 0))} "
            f"times, of {len(t)}). "
            "Save the mask in forward (a second draw is another one), and compare both conditions."
        )
    return None


def path(p: Pairs, facts: Facts) -> str | None:
    """y = x + f(x): the way of x itself is lost, or counted twice; or another constant is left out."""
    difference = constant(p.claimed - p.true)
    if difference is None or constant(p.true) is not None or constant(p.claimed) is not None:
        return None
    if facts.x.shape == facts.y.shape and abs(difference + 1) < 1e-6:
        return (
            "The gradient is too small by exactly gy: the path of x itself (the skip connection of a residual, "
            "derivative 1) is not accumulated. Add gy to what comes back through the branch."
        )
    if facts.x.shape == facts.y.shape and abs(difference - 1) < 1e-6:
        return (
            "The gradient is too large by exactly gy: gy is added once too often, as for a skip connection "
            "counted twice."
        )
    much = f"too {'large' if difference > 0 else 'small'} by the constant {number(abs(difference))}"
    return (
        f"The local derivative is {much}: a mean, a 1, or another term that is the same for all, is left out "
        "or too many."
    )


def passed_on(p: Pairs, facts: Facts) -> str | None:
    if not same(p.claimed, np.ones_like(p.claimed)):
        return None
    due = spelled(p.true, p.values)
    start = "gy is passed on unchanged: the local derivative is forgotten"
    if np.array_equal(np.round(p.true, 6), np.round(p.true)) and np.min(p.true) > 0:
        return (
            f"gy arrives once at each element, but forward uses some of them several times (up to {np.max(p.true):.0f}): "
            "what comes back from each use must be added up (np.add.at for index arrays, += in a loop)."
        )
    if due:
        return f"{start}. Multiply gy by {due} (chain rule)."
    if facts.x.shape != facts.y.shape:
        return f"{start} (chain rule)."
    return (
        f"{start} (chain rule). For a residual x + f(x) this means: only the path of x is counted, and what comes back "
        "through the branch f is not accumulated."
    )


def described(p: Pairs) -> str | None:
    """What stands there and what should; else by what they differ."""
    t, a = p.true, p.claimed
    due, came = spelled(t, p.values), spelled(a, p.values)
    remark = held_constant(p) or inverted_or_squared(t, a) or by_powers(p, 1 if due and came else 3)
    if due and came:
        exchanged = came.translate(str.maketrans("xy", "yx"))
        swap = " (x stands where y is due)" if exchanged == due and "x" in came else ""
        return f"The local derivative must be {due}, but backward uses {came}{swap}.{remark}"
    term = by_one_term(p) or by_one_factor(p)
    if came and constant(t) is None and constant(a) is None:
        return (
            f"Backward uses {came} as local derivative, which is not the derivative of "
            f"forward.{' ' + term if term else remark}"
        )
    if remark:
        return f"The local derivative is wrong.{remark}"
    return term


def held_constant(p: Pairs) -> str:
    """y = x·f(x), and f(x) alone is taken."""
    x, y = p.values["x"], p.values["y"]
    if constant(p.claimed) is not None or np.any(x == 0) or not same(p.claimed, y / x):
        return ""
    return " That is y/x, as if what x is multiplied by did not depend on x: by the product rule, a term is missing."


def inverted_or_squared(t: np.ndarray, a: np.ndarray) -> str:
    if constant(np.abs(t)) is not None or np.any(t == 0):
        return ""
    for power, what in ((-1.0, "inverted: 1/derivative"), (2.0, "applied twice (squared)")):
        factor = ratio(a, t**power)
        if factor is not None and abs(factor - 1) < 1e-6:
            return f" That is the local derivative {what}."
    return ""


def by_powers(p: Pairs, most: int) -> str:
    """claimed / true as a product of powers of x, y and the other inputs, at most so many of them."""
    with np.errstate(all="ignore"):
        found = monomial(p.claimed / p.true, {n: v for n, v in p.values.items() if n != "y"}) or monomial(
            p.claimed / p.true, p.values
        )
    if not found or not 1 <= len(found[1]) <= most:
        return ""
    factor, powers = found
    many, few = [n for n, e in powers.items() if e > 0], [n for n, e in powers.items() if e < 0]
    notes = [f"{n} is missing as a factor" for n in few] + [
        f"{n} is a factor too many, or missing as a divisor" for n in many
    ]
    if factor < 0:
        notes.append("the sign is wrong")
    return f" That is {written(factor, powers)} times the true one: {', '.join(notes)}."


def by_one_term(p: Pairs) -> str | None:
    for name, term in expressions(p.values):
        factor = ratio(p.claimed - p.true, term)
        if factor is not None and simple(factor):
            if factor < 0:
                return f"A term of the local derivative is missing: {times(-factor, name)}. The rest is right."
            return (
                f"The local derivative has a term too many (or its sign wrong): {times(factor, name)}. The "
                "rest is right."
            )
    return None


def by_one_factor(p: Pairs) -> str | None:
    for name, term in candidates(p.values):
        if constant(np.abs(term)) is not None or len(np.unique(term)) < 3:
            continue
        factor = ratio(p.claimed, term * p.true)
        if factor is not None and simple(factor):
            return (
                f"The local derivative is the true one times {times(factor, name)}: that factor does not belong there."
            )
        factor = ratio(p.claimed * term, p.true)
        if factor is not None and simple(factor):
            return f"The factor {times(1 / factor, name)} is missing in the local derivative (forgotten)."
    return None


def one_sided(p: Pairs) -> str | None:
    """Right for one sign of x."""
    x = p.values["x"]
    if not any(np.sum(side) > 2 and same(p.claimed[side], p.true[side]) for side in (x > 0, x < 0)):
        return None
    return by_sign(p)


def steps(t: np.ndarray) -> bool:
    """Two values, as of a slope left and right of 0."""
    return distinct(t) == 2


def uniform(values: np.ndarray) -> float:
    """The one value that all of these are, or NaN."""
    c = constant(values)
    return float("nan") if c is None else c


def by_sign(p: Pairs) -> str | None:
    """Told apart for x > 0 and x < 0: leaky ReLU, ELU, abs, clamp."""
    x, sides, slopes = p.values["x"], [], []
    for name, side in (("x > 0", x > 0), ("x < 0", x < 0)):
        t, a = p.true[side], p.claimed[side]
        if len(t) < 3 or len(np.unique(x[side])) < 3:
            return None
        known = {n: v[side] for n, v in p.values.items()}
        due, came = spelled(t, known), spelled(a, known)
        slopes.append((uniform(t), uniform(a)))
        if same(a, t):
            sides.append(f"right where {name}")
        elif due and came:
            sides.append(f"wrong where {name} (there the local derivative must be {due}, but backward uses {came})")
        elif (c := ratio(a, t)) is not None:
            sides.append(f"wrong where {name} (there it is {number(c)} times the true one)")
        else:
            return None
    if all(s.startswith("right") for s in sides):
        return None
    hint = ""
    (due_above, came_above), (due_below, came_below) = slopes
    if steps(p.true) and constant(np.abs(p.true)) is not None:
        hint = " The sign of x is missing, or wrong."
    elif steps(p.true) and same([came_above, came_below], [due_below, due_above]):
        hint = " The two slopes are exchanged."
    elif steps(p.true) and distinct(p.claimed) <= 2:
        hint = " A slope (the leak) was forgotten, inverted, or put on the wrong side."
    return f"The gradient is {' and '.join(sides)}.{hint}"
