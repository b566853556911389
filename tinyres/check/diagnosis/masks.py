"""Local derivatives of two kinds: on or off (ReLU, dropout, clamp, max), or a slope on each side of 0 (leaky ReLU)."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, distinct, number, same
from tinyres.check.diagnosis.formulas import ratio, spelled
from tinyres.check.diagnosis.pairs import Pairs


def masked(p: Pairs, facts: Facts) -> str | None:
    """Derivatives that are one constant here and zero there: ReLU, dropout, clamp, max."""
    t, a = p.true, p.claimed
    on = t != 0
    if not is_mask(t):
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


def is_mask(t: np.ndarray) -> bool:
    """Nothing but 0 and a constant, with either sign."""
    on = t != 0
    return not on.all() and bool(on.any()) and constant(np.abs(t[on])) is not None


def another_mask(p: Pairs, facts: Facts) -> str | None:
    """Two conditions, that of forward and that of backward."""
    t, a = p.true, p.claimed
    on = t != 0
    if not is_mask(t):
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


def one_sided(p: Pairs) -> str | None:
    """Right for one sign of x."""
    x = p.values["x"]
    if not any(np.sum(side) > 2 and same(p.claimed[side], p.true[side]) for side in (x > 0, x < 0)):
        return None
    return by_sign(p)


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
    elif steps(p.true) and np.allclose((came_above, came_below), (due_below, due_above), rtol=1e-6):
        hint = " The two slopes are exchanged."
    elif steps(p.true) and distinct(p.claimed) <= 2:
        hint = " A slope (the leak) was forgotten, inverted, or put on the wrong side."
    return f"The gradient is {' and '.join(sides)}.{hint}"


def steps(t: np.ndarray) -> bool:
    """Two values, as of a slope left and right of 0."""
    return distinct(t) == 2


def uniform(values: np.ndarray) -> float:
    """The one value that all of these are, or NaN."""
    c = constant(values)
    return float("nan") if c is None else c
