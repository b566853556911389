"""Which formula in x, y and the other inputs gives these values? Powers, and what derivatives are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np

from tinyres.check.diagnosis.evidence import constant, distinct, fit, number

Known = dict[str, np.ndarray]  # name -> values; all arrays of one length
MOST_NAMES = 3  # in one product: more could explain anything
POLYNOMIALS = (
    "a; a*(1 - a); a*(1 + a); (1 - a**2); (1 - a); (1 + a); (1 + a**2); 1/(1 + a**2); a**2; 1/(1 + a); 1/(1 + abs(a)); "
    "1/(1 + abs(a))**2; 1/a; 1/a**2; sqrt(a); 1/sqrt(a); abs(a); (a > 0); sign(a); a*(a > 0)"
)
FUNCTIONS = (
    "exp(a); log(1 - a); 1/(1 - a); a*log(a); (1 - a)*log(a); exp(-a); log(a); sigmoid(a); (1 - sigmoid(a)); "
    "sigmoid(a)*(1 - sigmoid(a)); a*sigmoid(a); a*sigmoid(a)*(1 - sigmoid(a)); tanh(a); (1 - tanh(a)); (1 - "
    "tanh(a)**2); sin(a); cos(a); 1/cos(a)**2; exp(-a**2/2); a*exp(-a**2/2)"
)
OF_TWO = (
    "(a - b); (a + b); sign(a - b); (a > b); a*b; exp(a - b); tanh(a - b); sigmoid(a - b); log(a/b); "
    "(a - b)/(a*(1 - a))"
)
IN_ORDER = "a*log(b); a/b; a*(1 - b); a*(1 - b**2); (sigmoid(a) - b)"
NUMPY = {name: getattr(np, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "abs", "sign")}
TABLES = [tuple(table.split("; ")) for table in (POLYNOMIALS, FUNCTIONS, OF_TWO, IN_ORDER)]
CODES = {text: compile(text, "<a formula>", "eval") for table in TABLES for text in table}


def value(text: str, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """The formula at these values."""
    space = NUMPY | {"sigmoid": lambda v: 1 / (1 + np.exp(-v)), "a": a, "b": b}
    return np.asarray(eval(CODES[text], space) * 1.0)


def pretty(text: str, a: str, b: str = "") -> str:
    """a*(1 - a**2) as x·(1 − x²)"""
    for code, sign in ((r"abs\(a\)", "|a|"), (r"sqrt\(a\)", "√a"), (r"(tanh|cos)\(a\)\*\*2", r"\1²(a)"), ("-", "−")):
        text = re.sub(code, sign, text)
    text = re.sub(r"\b[ab]\b", lambda name: a if name[0] == "a" else b, text)
    return text.replace("**2", "²").replace("*", "·")


def spelled(values: np.ndarray, known: Known) -> str | None:
    """The simplest formula for these values, or None. y is used only where the inputs alone do not do."""
    if (c := constant(values)) is not None:
        return number(c)
    if powers := monomial(values, {name: a for name, a in known.items() if name != "y"}):
        return written(*powers)
    for name, term in candidates(known):
        if distinct(term) > 3 or name.startswith("sign(") or " > " in name:  # few values tell only a condition
            factor = ratio(values, term)
            if factor is not None and simple(factor):
                return times(factor, name)
    powers = monomial(values, known)
    return written(*powers) if powers else None


def ratio(a: np.ndarray, b: np.ndarray) -> float | None:
    """c with a = c·b everywhere, where b is no constant and has values enough to tell."""
    if not np.all(np.isfinite(b)) or not varied(b, 2):
        return None
    c = fit(a, [b])
    return None if c is None else float(c[0])


def simple(c: float) -> bool:
    """A factor that somebody may have written: ±1, 2, 1/2, 3, 1/12, …"""
    return c != 0 and "." not in number(c) and len(number(c)) <= 5


def varied(values: np.ndarray, few: int = 3) -> bool:
    """Values enough to tell formulas apart: four, or a few that occur often (an output for a row of x)."""
    counts = np.unique(np.round(values, 9), return_counts=True)[1]
    return len(counts) > 3 or (len(counts) >= few and min(counts) > 2)


def monomial(values: np.ndarray, known: Known) -> tuple[float, dict[str, float]] | None:
    """(c, {name: exponent}) with values = c·Π name^exponent, exponents in halves up to 4, as few names as possible."""
    if np.any(values == 0) or not np.all(np.isfinite(values)) or distinct(values) < 4:
        return None
    names = [n for n, v in known.items() if np.all(v != 0) and varied(np.abs(v))]
    for chosen in (c for count in range(1, min(len(names), MOST_NAMES) + 1) for c in combinations(names, count)):
        if len(values) < len(chosen) + 3:
            continue
        logs = np.stack([np.log(np.abs(known[n])) for n in chosen] + [np.ones(len(values))], 1)
        c, _, rank, _ = np.linalg.lstsq(logs, np.log(np.abs(values)), rcond=1e-9)
        exponents = np.round(2 * c[:-1]) / 2
        if rank < logs.shape[1] or np.any(np.abs(exponents) > 4) or not np.allclose(c[:-1], exponents, atol=1e-5):
            continue
        powers = {n: float(e) for n, e in zip(chosen, exponents, strict=True) if e}
        factors = [np.abs(known[n]) ** e * (np.sign(known[n]) if e % 2 == 1 else 1) for n, e in powers.items()]
        factor = constant(values / np.prod(factors, axis=0), 1e-6)
        if factor is not None:
            return factor, powers
    return None


def times(factor: float, name: str) -> str:
    """2·name, −name, name/3"""
    sign, size = "−" if factor < 0 else "", abs(factor)
    if abs(size - 1) < 1e-6:
        return sign + name
    if abs(1 / size - round(1 / size)) < 1e-6:
        over = number(1 / size)
        return f"{sign}1/({over}·{name[2:]})" if name.startswith("1/") else f"{sign}{name}/{over}"
    return f"{sign}{number(size)}/{name[2:]}" if name.startswith("1/") else f"{sign}{number(size)}·{name}"


def written(factor: float, powers: dict[str, float]) -> str:
    """3·x²/input 1"""

    def power(name: str, e: float) -> str:
        if e == 0.5:
            return f"√({name})" if " " in name else f"√{name}"
        return name + {1.0: "", 2.0: "²", 3.0: "³"}.get(e, f"^{number(e)}" if e % 1 == 0 else f"^({number(e)})")

    upper = "·".join(power(n, e) for n, e in powers.items() if e > 0)
    lower = [power(n, -e) for n, e in powers.items() if e < 0]
    under = f"({'·'.join(lower)})" if len(lower) > 1 else "".join(lower)
    return times(factor, f"{upper or 1}/{under}" if lower else upper)


def candidates(known: Known) -> Iterator[tuple[str, np.ndarray]]:
    """What derivatives are made of. y first: where it will do, a backward is mostly written with it."""
    several = {name for name, a in known.items() if len(np.unique(a)) > 2}  # fewer do not tell functions apart
    if "x" in known and len(np.unique(known["x"])) < 4:
        known = {name: a for name, a in known.items() if name != "x"}
    names = sorted(several & set(known), key=lambda name: (name != "y", name != "x"))
    last = sorted(known, key=lambda name: name == "y")
    with np.errstate(all="ignore"):
        for table, of in zip(TABLES[:2], (names, sorted(names, key=lambda name: name == "y")), strict=True):
            for n in of:
                few = len(np.unique(known[n])) < 8  # the signs of a few values may agree with anything
                skip = [text for text in table if few and ("sign" in text or ">" in text)]
                yield from ((pretty(text, n), value(text, known[n])) for text in table if text not in skip)
        for table, pairs in zip(TABLES[2:], (combinations(last, 2), permutations(known, 2)), strict=True):
            for m, n in pairs:
                yield from ((pretty(text, m, n), value(text, known[m], known[n])) for text in table)
