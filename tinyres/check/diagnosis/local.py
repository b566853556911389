"""The local derivative: where each output depends on one x (or each x on one output), a wrong formula can be read off.

Then the gradient is gy times one number for each such pair: `true` is what that number must be, `claimed` what
backward takes. Both are compared with formulas in x, y and the other inputs.
"""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, number, same
from tinyres.check.diagnosis.formulas import spelled
from tinyres.check.diagnosis.masks import another_mask, by_sign, is_mask, masked, one_sided, steps
from tinyres.check.diagnosis.pairs import Pairs, pairs
from tinyres.check.diagnosis.regimes import beyond_a_border
from tinyres.check.diagnosis.remarks import by_one_factor, by_one_term, by_powers, held_constant, inverted_or_squared
from tinyres.check.diagnosis.sums import wrong_term


def wrong_formula(facts: Facts) -> str | None:
    p = pairs(facts)
    if p is None or same(p.claimed, p.true):
        return None
    return (
        masked(p, facts)
        or (beyond_a_border(p) if is_mask(p.true) else None)
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
            "gy arrives once at each element, but forward uses some of them several times (up to "
            f"{np.max(p.true):.0f}): what comes back from each use must be added up (np.add.at for index arrays, += in "
            "a loop)."
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
    remark = held_constant(p) or inverted_or_squared(p) or by_powers(p, 1 if due and came else 3)
    if due is None and steps(t):
        due = " or ".join(number(v) for v in np.unique(np.round(t, 9))[::-1]) + " (a condition, a mask)"
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
