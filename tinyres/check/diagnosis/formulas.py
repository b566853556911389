"""Which formula in x, y and the other inputs gives these values? Powers, and what derivatives are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations, product
from types import CodeType

import numpy as np

from tinyres.check.diagnosis.evidence import constant, distinct, fit, number

Known = dict[str, np.ndarray]  # name -> values; all arrays of one length
POWERS = "a; a**2; a**3; 1/a; 1/a**2; 1/a**3; sqrt(a); 1/sqrt(a); a*sqrt(a)"
PRODUCTS = "a*b; a/b; a/b**2; a**2*b; a**2/b; a**2*b**2; a*sqrt(b); a/sqrt(b); 1/(a*b)"
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


@cache
def compiled(text: str) -> CodeType:
    return compile(text, "<a formula>", "eval")


def value(text: str, a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """The formula at these values."""
    space = NUMPY | {"sigmoid": lambda v: 1 / (1 + np.exp(-v)), "a": a, "b": b}
    return np.asarray(eval(compiled(text), space) * 1.0)


def pretty(text: str, a: str, b: str = "") -> str:
    """a*(1 - a**2) as x·(1 − x²)"""
    for code, sign in ((r"abs\(a\)", "|a|"), (r"sqrt\(a\)", "√a"), (r"(tanh|cos)\(a\)\*\*2", r"\1²(a)"), ("-", "−")):
        text = re.sub(code, sign, text)
    text = re.sub(r"\b[ab]\b", lambda name: a if name[0] == "a" else b, text)
    return text.replace("**2", "²").replace("**3", "³").replace("*", "·")


def spelled(values: np.ndarray, known: Known) -> str | None:
    """The simplest formula for these values, or None. y is used only where the inputs alone do not do."""
    if (c := constant(values)) is not None:
        return number(c)
    for name, term in candidates(known):
        if distinct(term) > 3 or name.startswith("sign(") or " > " in name:  # few values tell only a condition
            factor = ratio(values, term)
            if factor is not None and simple(factor):
                return times(factor, name)
    return None


def ratio(a: np.ndarray, b: np.ndarray) -> float | None:
    """c with a = c·b everywhere, where b is no constant and has values enough to tell."""
    if not np.all(np.isfinite(b)) or not varied(b):
        return None
    c = fit(a, [b])
    return None if c is None else float(c[0])


def simple(c: float) -> bool:
    """A factor that somebody may have written: ±1, 2, 1/2, 3, 1/12, …"""
    return c != 0 and "." not in number(c) and len(number(c)) <= 5


def varied(values: np.ndarray) -> bool:
    """Values enough to tell formulas apart: four, or a few that occur often (an output for a row of x)."""
    counts = np.unique(np.round(values, 9), return_counts=True)[1]
    return len(counts) > 3 or (len(counts) >= 2 and min(counts) > 2)


def times(factor: float, name: str) -> str:
    """2·name, −name, name/3"""
    sign, size = "−" if factor < 0 else "", abs(factor)
    if abs(size - 1) < 1e-6:
        return sign + name
    if abs(1 / size - round(1 / size)) < 1e-6:
        over = number(1 / size)
        return f"{sign}1/({over}·{name[2:]})" if name.startswith("1/") else f"{sign}{name}/{over}"
    return f"{sign}{number(size)}/{name[2:]}" if name.startswith("1/") else f"{sign}{number(size)}·{name}"


def candidates(known: Known) -> Iterator[tuple[str, np.ndarray]]:
    """What derivatives are made of. y where it will do, before functions of x: a backward is mostly written with it."""
    several = {name for name, a in known.items() if len(np.unique(a)) > 2}  # fewer do not tell functions apart
    if "x" in known and len(np.unique(known["x"])) < 4:
        known = {name: a for name, a in known.items() if name != "x"}
    y_last = sorted(known, key=lambda name: name == "y")
    y_first = sorted(several & set(known), key=lambda name: (name != "y", name != "x"))
    inputs = [name for name in y_last if name in several and name != "y"]
    for table, groups in (
        (POWERS, [(name,) for name in inputs]),
        (PRODUCTS, permutations(inputs, 2)),
        (POLYNOMIALS, [(name,) for name in y_first]),
        (FUNCTIONS, [(name,) for name in y_last if name in several]),
        (OF_TWO, combinations(y_last, 2)),
        (IN_ORDER, permutations(known, 2)),
        (PRODUCTS, permutations(y_last, 2)),
    ):
        for names, text in product(groups, table.split("; ")):
            few = len(names) == 1 and len(np.unique(known[names[0]])) < 8
            if few and ("sign" in text or ">" in text):  # the signs of a few values may agree with anything
                continue
            with np.errstate(all="ignore"):
                yield pretty(text, *names), value(text, *(known[name] for name in names))
