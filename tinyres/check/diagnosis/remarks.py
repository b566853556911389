"""How a wrong local derivative differs from the right one: by a power, a term, a factor."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import constant, same
from tinyres.check.diagnosis.formulas import (
    candidates,
    expressions,
    monomial,
    polynomials,
    ratio,
    simple,
    times,
    transcendental,
    written,
)
from tinyres.check.diagnosis.pairs import Pairs


def held_constant(p: Pairs) -> str:
    """y = x·f(x), and f(x) alone is taken."""
    x, y = p.values["x"], p.values["y"]
    if constant(p.claimed) is not None or np.any(x == 0) or not same(p.claimed, y / x):
        return ""
    return " That is y/x, as if what x is multiplied by did not depend on x: by the product rule, a term is missing."


def inverted_or_squared(p: Pairs) -> str:
    t, a = p.true, p.claimed
    if constant(np.abs(t)) is not None or np.any(t == 0):
        return ""
    for power, what in ((-1.0, "inverted: 1/derivative"), (2.0, "applied twice (squared)")):
        factor = ratio(a, t**power)
        if factor is not None and abs(factor - 1) < 1e-6:
            return f" That is the local derivative {what}."
    for name, v in p.values.items():
        if name.startswith("input") and np.all(v) and same(a * v, t * t):
            return f" What forward multiplies by besides {name} enters twice (squared, as 1/std² for 1/std)."
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
            much, opposite = times(factor, name), times(-factor, name)
            return f"The local derivative is too large by {much} ({opposite} is missing, or {much} is too many)."
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
    return by_another_factor(p)


def by_another_factor(p: Pairs) -> str | None:
    """One factor of the local derivative stands where another is due: claimed·due = true·came."""
    terms = [(name, a) for n in p.values for name, a in [*polynomials(n, p.values[n]), *transcendental(n, p.values[n])]]
    terms = [(name, a) for name, a in terms if np.all(np.isfinite(a)) and np.all(a) and len(np.unique(a)) > 5]
    due = {fingerprint(p.claimed * a): (name, a) for name, a in reversed(terms)}
    for came, a in terms:
        name, b = due.get(fingerprint(p.true * a), ("", a))
        factor = ratio(p.claimed * b, p.true * a) if name else None
        if factor is not None and simple(factor):
            return f"In the local derivative stands {times(factor, came)} where {name} is due."
    return None


def fingerprint(values: np.ndarray) -> bytes:
    """The same for multiples of one another."""
    largest = values[np.argmax(np.abs(values))]
    return np.asarray(np.round(values / largest, 6) + 0.0).tobytes()
