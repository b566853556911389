"""The local derivative: where each output depends on one x (or each x on one output), a wrong formula can be read off.

Then the gradient is gy times one number for each pair: `true` is what that number must be, `claimed` what backward
takes. Both are compared with formulas in x, y and the other inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from tinyres.diagnosis.evidence import Facts, constant, fit, number, same, subsets


class Pairs(NamedTuple):
    """One entry for every (output, x) that belong together."""

    true: np.ndarray
    claimed: np.ndarray
    values: dict[str, np.ndarray]  # x, y and the other inputs, as they stand at each pair


def pairs(facts: Facts) -> Pairs | None:
    """None if the op is of another kind."""
    used = (facts.true != 0) | (np.abs(facts.claimed) > 1e-10 * np.max(np.abs(facts.claimed)))
    if facts.x.shape == facts.y.shape and not np.any(used & ~np.eye(len(used), dtype=bool)):
        rows = columns = np.arange(len(used))
    elif np.all(used.sum(1) <= 1) or np.all(used.sum(0) <= 1):
        rows, columns = np.nonzero(used)
    else:
        return None
    if len(rows) < 4:
        return None
    values = {"x": facts.x.ravel()[columns], "y": facts.y.ravel()[rows]}
    for name, a in facts.others:
        for shape, places in ((facts.y.shape, rows), (facts.x.shape, columns)):
            try:
                values[name] = np.broadcast_to(a, shape).ravel()[places]
                break
            except ValueError:
                continue
    return Pairs(facts.true[rows, columns], facts.claimed[rows, columns], values)


def wrong_formula(facts: Facts) -> str | None:
    found = pairs(facts)
    if found is None or same(found.claimed, found.true):
        return None
    return masks(found) or formulas(found, facts) or by_sign(found)


def masks(p: Pairs) -> str | None:
    """Derivatives that are one constant here and zero there: ReLU, dropout, clamp, max."""
    t, a = p.true, p.claimed
    on = t != 0
    if on.all() or not on.any() or constant(np.abs(t[on])) is None:
        return None
    scale = float(np.mean(np.abs(t[on])))
    kind = "the mask (x > 0, as in ReLU)" if np.array_equal(on, p.values["x"] > 0) else "the mask"
    passed = constant(a)
    if passed is not None:
        scaled = (
            "; nor is the scale applied" if abs(passed - 1) < 1e-6 and abs(scale - 1) > 1e-6 else ""
        )
        return (
            f"gy is passed on everywhere, also where the derivative is 0: {kind} is missing in backward{scaled}. "
            "Multiply gy by it."
        )
    if same(a * on, np.zeros_like(a)) and constant(a[~on]) is not None:
        return f"{kind.capitalize()} is inverted: the gradient passes exactly where it must be 0, and not where it must pass."
    return None


def formulas(p: Pairs, facts: Facts) -> str | None:
    """Name what stands there and what should; else by what they differ."""
    t, a = p.true, p.claimed
    if same(a, np.ones_like(a)):
        due = spelled(t, p.values)
        return "gy is passed on unchanged: the local derivative is forgotten. " + (
            f"Multiply gy by {due}." if due else "Multiply gy by it (chain rule)."
        )
    if constant(np.abs(t)) is None:
        for power, what in ((-1, "inverted (1/derivative)"), (2, "applied twice (squared)"), (0.5, "under a root")):
            factor = ratio(a, np.sign(t) * np.abs(t) ** power)
            if factor is not None and abs(factor - 1) < 1e-6 and len(t) > 3:
                return f"The local derivative is {what}: {described(p, facts)}"
    return described(p, facts) if recognisable(p, facts) else None


def recognisable(p: Pairs, facts: Facts) -> bool:
    return bool(described(p, facts))


def described(p: Pairs, facts: Facts) -> str:
    t, a = p.true, p.claimed
    due, came = spelled(t, p.values), spelled(a, p.values)
    if due and came:
        exchanged = came.replace("x", "*").replace("y", "x").replace("*", "y")
        swap = f" ({'x' if 'x' in came else 'y'} stands where {'y' if 'x' in came else 'x'} is due)" * (exchanged == due)
        return f"the local derivative must be {due}, but backward uses {came}{swap}.{by_factors(p)}"
    if came and constant(t) is None:
        return f"backward uses {came} as local derivative, which is not the derivative of forward.{by_factors(p)}"
    hint = by_factors(p)
    if hint:
        return f"the local derivative is wrong by a factor.{hint}"
    if constant(a) is None and constant(t) is None:
        for name, term in library(p.values, facts):
            factor = ratio(a - t, term)
            if factor is not None and simple(factor):
                which = "is missing" if same(a + -factor * term, t) and np.linalg.norm(a) < np.linalg.norm(t) else "differs"
                return f"a term of the local derivative {which}: backward's is the true one {signed(factor, name)}."
    for name, term in library(p.values, facts):
        factor = ratio(a, term * t)
        if factor is not None and simple(factor):
            return f"the local derivative is the true one times {times(factor, name)}: that factor does not belong there."
        factor = ratio(a * term, t)
        if factor is not None and simple(factor):
            return f"the factor {times(1 / factor, name)} is missing in the local derivative (forgotten)."
    return ""


def by_factors(p: Pairs) -> str:
    """claimed / true as a product of powers of x, y and the other inputs."""
    with np.errstate(all="ignore"):
        quotient = p.claimed / p.true
    if not np.all(np.isfinite(quotient)) or np.any(quotient == 0):
        return ""
    powers = monomial(quotient, p.values)
    if powers is None or not powers[1]:
        return ""
    factor, exponents = powers
    many = [f"{n} {'' if e == 1 else f'to the power {number(e)} '}once too often" for n, e in exponents.items() if e > 0]
    few = [f"{n} {'' if e == -1 else f'to the power {number(-e)} '}is missing as a factor" for n, e in exponents.items() if e < 0]
    sign = ["the sign is wrong"] if factor < 0 else []
    rest = [f"a constant factor {number(abs(factor))}"] if abs(abs(factor) - 1) > 1e-6 else []
    return f" backward's is {written(factor, exponents)} times the true one: " + ", ".join(
        [f"multiplied by {m} (or divided by it once too little)" for m in many] + few + sign + rest
    ) + "."


def by_sign(p: Pairs) -> str | None:
    """Right for one sign of x, off by a constant for the other."""
    x = p.values["x"]
    if not (np.any(x > 0) and np.any(x < 0)):
        return None
    sides = {}
    for name, side in (("x > 0", x > 0), ("x < 0", x < 0)):
        t, a = p.true[side], p.claimed[side]
        if same(a, t):
            sides[name] = "is right"
        elif len(t) > 1 and not np.any(a):
            sides[name] = f"is 0, where it must be {value(t)} times gy"
        elif len(t) > 1 and (c := constant(a)) is not None:
            sides[name] = f"is {number(c)} times gy, where it must be {value(t)} times gy"
        else:
            return None
    return f"The gradient {' and '.join(f'{what} where {side}' for side, what in sides.items())}: " + (
        "a slope (the leak) was forgotten, inverted or put on the wrong side."
        if any("is 0" in s or "times" in s for s in sides.values())
        else "look at that branch."
    )


def value(t: np.ndarray) -> str:
    c = constant(t)
    return "another factor" if c is None else number(c)


def ratio(a: np.ndarray, b: np.ndarray) -> float | None:
    """c with a = c·b everywhere, b being no constant."""
    if not np.all(np.isfinite(b)) or len(np.unique(np.round(b, 9))) < 4:
        return None
    c = fit(a, [b])
    return None if c is None else float(c[0])


def simple(c: float) -> bool:
    """A factor that somebody may have written: ±1, 2, 1/2, 3, 1/12, …"""
    return c != 0 and len(number(c)) <= 5 and "." not in number(c)


def times(factor: float, name: str) -> str:
    if abs(factor - 1) < 1e-6:
        return name
    return f"−{name}" if abs(factor + 1) < 1e-6 else f"{number(factor)}·{name}"


def signed(factor: float, name: str) -> str:
    return f"{'plus' if factor > 0 else 'minus'} {times(abs(factor), name)}"


def spelled(values: np.ndarray, known: dict[str, np.ndarray]) -> str | None:
    """A formula for these values, or None."""
    if (c := constant(values)) is not None:
        return number(c)
    for name, term in expressions(known):
        factor = ratio(values, term)
        if factor is not None and simple(factor):
            return times(factor, name)
    powers = monomial(values, known)
    return None if powers is None else written(*powers)


def monomial(values: np.ndarray, known: dict[str, np.ndarray]) -> tuple[float, dict[str, float]] | None:
    """(c, {name: exponent}) with values = c·Π name^exponent, exponents in halves, the fewest names first."""
    if np.any(values == 0) or not np.all(np.isfinite(values)):
        return None
    names = [n for n, v in known.items() if np.all(v != 0) and len(np.unique(np.round(np.abs(v), 9))) > 3]
    choices = sorted(([n for n, b in zip(names, bits, strict=True) if b] for bits in product((0, 1), repeat=len(names))), key=len)
    for chosen in choices[1:]:
        logs = np.stack([np.log(np.abs(known[n])) for n in chosen] + [np.ones(len(values))], 1)
        if len(values) < len(chosen) + 3:
            continue
        c, _, rank, _ = np.linalg.lstsq(logs, np.log(np.abs(values)), rcond=1e-9)
        exponents = np.round(2 * c[:-1]) / 2
        if rank < logs.shape[1] or np.any(np.abs(exponents) > 4) or not np.allclose(c[:-1], exponents, atol=1e-5):
            continue
        powers = {n: float(e) for n, e in zip(chosen, exponents, strict=True) if e}
        base = np.prod([np.abs(known[n]) ** e for n, e in powers.items()], axis=0)
        for signs in product((0, 1), repeat=len(chosen)):  # an odd power brings its sign along
            sign = np.prod([np.sign(known[n]) for n, s in zip(chosen, signs, strict=True) if s] or [np.ones(len(values))], axis=0)
            factor = constant(values / (base * sign), 1e-6)
            odd = tuple(int(e % 2 == 1) for e in exponents)
            if factor is not None and signs == odd:
                return factor, powers
    return None


def written(factor: float, powers: dict[str, float]) -> str:
    """3·x²/y"""
    raised = {1: "", 2: "²", 3: "³"}
    over = [n + raised.get(int(-e) if e % 1 == 0 else 0, f"^{number(-e)}") for n, e in powers.items() if e < 0]
    upper = [n + raised.get(int(e) if e % 1 == 0 else 0, f"^{number(e)}") for n, e in powers.items() if e > 0]
    top = "·".join(upper) or "1"
    text = times(factor, top) if upper or abs(abs(factor) - 1) < 1e-6 else number(factor)
    return text + (f"/({'·'.join(over)})" if len(over) > 1 else f"/{over[0]}" if over else "")


def expressions(known: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Formulas that derivatives are made of, in each of the values. y first: that is how they are mostly written."""
    with np.errstate(all="ignore"):
        for n in sorted(known, key=lambda n: n != "y"):
            v = known[n]
            yield n, v
            yield f"{n}·(1 − {n})", v * (1 - v)
            yield f"(1 − {n}²)", 1 - v**2
            yield f"(1 − {n})", 1 - v
            yield f"(1 + {n})", 1 + v
            yield f"(1 + {n}²)", 1 + v**2
            yield f"{n}²", v**2
            yield f"1/{n}", 1 / v
            yield f"1/{n}²", 1 / v**2
            yield f"√{n}", np.sqrt(v)
            yield f"1/√{n}", v**-0.5
        for n in sorted(known, key=lambda n: n != "x"):
            v = known[n]
            s = 1 / (1 + np.exp(-v))
            yield f"exp({n})", np.exp(v)
            yield f"exp(−{n})", np.exp(-v)
            yield f"log({n})", np.log(v)
            yield f"sigmoid({n})", s
            yield f"(1 − sigmoid({n}))", 1 - s
            yield f"sigmoid({n})·(1 − sigmoid({n}))", s * (1 - s)
            yield f"tanh({n})", np.tanh(v)
            yield f"(1 − tanh²({n}))", 1 - np.tanh(v) ** 2
            yield f"{n}·sigmoid({n})·(1 − sigmoid({n}))", v * s * (1 - s)
            yield f"{n}·sigmoid({n})", v * s
            yield f"sin({n})", np.sin(v)
            yield f"cos({n})", np.cos(v)
            yield f"1/cos²({n})", np.cos(v) ** -2
            yield f"|{n}|", np.abs(v)
            yield f"sign({n})", np.sign(v)
            yield f"({n} > 0)", (v > 0) * 1.0
            yield f"max({n}, 0)", v * (v > 0)
            yield f"exp(−{n}²/2)", np.exp(-(v**2) / 2)
            yield f"{n}·exp(−{n}²/2)", v * np.exp(-(v**2) / 2)
        for m, n in product(known, repeat=2):
            if m < n:
                yield f"({m} − {n})", known[m] - known[n]
                yield f"({m} + {n})", known[m] + known[n]
                yield f"sign({m} − {n})", np.sign(known[m] - known[n])
                yield f"{m}·{n}", known[m] * known[n]
                yield f"{n}·log({m})", known[n] * np.log(known[m])
                yield f"{m}·log({n})", known[m] * np.log(known[n])
            if m != n:
                yield f"(sigmoid({m}) − {n})", 1 / (1 + np.exp(-known[m])) - known[n]


def library(known: dict[str, np.ndarray], facts: Facts) -> Iterator[tuple[str, np.ndarray]]:
    yield from expressions(known)
