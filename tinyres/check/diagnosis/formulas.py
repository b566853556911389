"""Which formula in x, y and the other inputs gives these values? Powers, and what derivatives are made of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from tinyres.check.diagnosis.evidence import constant, distinct, fit, number

Known = dict[str, np.ndarray]  # name -> values; all arrays of one length
Powers = dict[str, float]  # name -> exponent
MOST_NAMES = 3  # in one product: more could explain anything


def spelled(values: np.ndarray, known: Known) -> str | None:
    """The simplest formula for these values, or None. y is used only where the inputs alone do not do."""
    if (c := constant(values)) is not None:
        return number(c)
    inputs = {name: a for name, a in known.items() if name != "y"}
    if powers := monomial(values, inputs):
        return written(*powers)
    for name, term in expressions(known):
        factor = ratio(values, term)
        if factor is not None and simple(factor):
            return times(factor, name)
    powers = monomial(values, known)
    return written(*powers) if powers else None


def ratio(a: np.ndarray, b: np.ndarray) -> float | None:
    """c with a = c·b everywhere, where b is no constant and has values enough to tell."""
    if not np.all(np.isfinite(b)):
        return None
    seen = np.unique(np.round(b, 9), return_counts=True)[1]
    if len(seen) < 4 and (len(seen) < 2 or min(seen) < 3):
        return None
    c = fit(a, [b])
    return None if c is None else float(c[0])


def simple(c: float) -> bool:
    """A factor that somebody may have written: ±1, 2, 1/2, 3, 1/12, …"""
    return c != 0 and "." not in number(c) and len(number(c)) <= 5


def monomial(values: np.ndarray, known: Known) -> tuple[float, Powers] | None:
    """(c, {name: exponent}) with values = c·Π name^exponent, exponents in halves up to 4, as few names as possible."""
    if np.any(values == 0) or not np.all(np.isfinite(values)) or distinct(values) < 4:
        return None
    names = [n for n, v in known.items() if np.all(v != 0) and varied(np.abs(v))]
    for count in range(1, min(len(names), MOST_NAMES) + 1):
        for chosen in combinations(names, count):
            if len(values) < count + 3:
                continue
            logs = np.stack([np.log(np.abs(known[n])) for n in chosen] + [np.ones(len(values))], 1)
            c, _, rank, _ = np.linalg.lstsq(logs, np.log(np.abs(values)), rcond=1e-9)
            exponents = np.round(2 * c[:-1]) / 2
            if rank < logs.shape[1] or np.any(np.abs(exponents) > 4) or not np.allclose(c[:-1], exponents, atol=1e-5):
                continue
            powers = {n: float(e) for n, e in zip(chosen, exponents, strict=True) if e}
            factor = constant(values / evaluated(powers, known, len(values)), 1e-6)
            if factor is not None:
                return factor, powers
    return None


def varied(v: np.ndarray) -> bool:
    """Values enough to tell powers apart: four, or three that occur often (an output for a row of x)."""
    counts = np.unique(np.round(v, 9), return_counts=True)[1]
    return len(counts) > 3 or (len(counts) == 3 and min(counts) > 2)


def evaluated(powers: Powers, known: Known, length: int) -> np.ndarray:
    """Π name^exponent. An odd power brings its sign along."""
    result = np.ones(length)
    for name, e in powers.items():
        v = known[name]
        result = result * np.abs(v) ** e * (np.sign(v) if e % 2 == 1 else 1)
    return result


def times(factor: float, name: str) -> str:
    """2·name, −name, name/3"""
    sign = "−" if factor < 0 else ""
    size = abs(factor)
    if abs(size - 1) < 1e-6:
        return sign + name
    if abs(1 / size - round(1 / size)) < 1e-6:
        over = number(1 / size)
        return f"{sign}1/({over}·{name[2:]})" if name.startswith("1/") else f"{sign}{name}/{over}"
    if name.startswith("1/"):
        return f"{sign}{number(size)}/{name[2:]}"
    return f"{sign}{number(size)}·{name}"


def written(factor: float, powers: Powers) -> str:
    """3·x²/input 1"""

    def power(name: str, e: float) -> str:
        if e == 0.5:
            return f"√({name})" if " " in name else f"√{name}"
        return name + {1.0: "", 2.0: "²", 3.0: "³"}.get(e, f"^{number(e)}" if e % 1 == 0 else f"^({number(e)})")

    upper = "·".join(power(n, e) for n, e in powers.items() if e > 0)
    lower = [power(n, -e) for n, e in powers.items() if e < 0]
    under = f"({'·'.join(lower)})" if len(lower) > 1 else "".join(lower)
    if not lower:
        return times(factor, upper)
    return times(factor, f"{upper or 1}/{under}")


def expressions(known: Known) -> Iterator[tuple[str, np.ndarray]]:
    """What derivatives are made of. Two or three values tell a condition, but no other formula."""
    for name, term in candidates(known):
        if distinct(term) > 3 or name.startswith("sign(") or " > " in name:
            yield name, term


def candidates(known: Known) -> Iterator[tuple[str, np.ndarray]]:
    """y first: where it will do, a backward is mostly written with it."""
    several = {name for name, a in known.items() if len(np.unique(a)) > 2}  # fewer do not tell functions apart
    if "x" in known and len(np.unique(known["x"])) < 4:
        known = {name: a for name, a in known.items() if name != "x"}
    names = sorted(several & set(known), key=lambda name: (name != "y", name != "x"))
    with np.errstate(all="ignore"):
        for n in names:
            yield from polynomials(n, known[n])
        for n in sorted(names, key=lambda name: name == "y"):
            yield from transcendental(n, known[n])
        for m, n in combinations([*(n for n in known if n != "y"), *(n for n in known if n == "y")], 2):
            a, b = known[m], known[n]
            yield f"({m} − {n})", a - b
            yield f"({m} + {n})", a + b
            yield f"sign({m} − {n})", np.sign(a - b)
            yield f"({m} > {n})", (a > b) * 1.0
            yield f"{m}·{n}", a * b
            yield f"exp({m} − {n})", np.exp(a - b)
            yield f"tanh({m} − {n})", np.tanh(a - b)
            yield f"sigmoid({m} − {n})", 1 / (1 + np.exp(b - a))
            yield f"log({m}/{n})", np.log(a / b)
            yield f"({m} − {n})/({m}·(1 − {m}))", (a - b) / (a * (1 - a))
        for m, n in product(known, repeat=2):
            if m != n:
                a, b = known[m], known[n]
                yield f"{m}·log({n})", a * np.log(b)
                yield f"{m}/{n}", a / b
                yield f"{m}·(1 − {n})", a * (1 - b)
                yield f"{m}·(1 − {n}²)", a * (1 - b**2)
                yield f"(sigmoid({m}) − {n})", 1 / (1 + np.exp(-a)) - b


def polynomials(n: str, v: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield n, v
    yield f"{n}·(1 − {n})", v * (1 - v)
    yield f"{n}·(1 + {n})", v * (1 + v)
    yield f"(1 − {n}²)", 1 - v**2
    yield f"(1 − {n})", 1 - v
    yield f"(1 + {n})", 1 + v
    yield f"(1 + {n}²)", 1 + v**2
    yield f"1/(1 + {n}²)", 1 / (1 + v**2)
    yield f"{n}²", v**2
    yield f"1/(1 + {n})", 1 / (1 + v)
    yield f"1/(1 + |{n}|)", 1 / (1 + np.abs(v))
    yield f"1/(1 + |{n}|)²", 1 / (1 + np.abs(v)) ** 2
    yield f"1/{n}", 1 / v
    yield f"1/{n}²", 1 / v**2
    yield f"√{n}", np.sqrt(v)
    yield f"1/√{n}", v**-0.5
    yield f"|{n}|", np.abs(v)
    if len(np.unique(v)) > 7:  # the signs of a few values may agree with anything
        yield f"sign({n})", np.sign(v)
        yield f"({n} > 0)", (v > 0) * 1.0
        yield f"max({n}, 0)", v * (v > 0)


def transcendental(n: str, v: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    s, bell = 1 / (1 + np.exp(-v)), np.exp(-(v**2) / 2)
    yield f"exp({n})", np.exp(v)
    yield f"log(1 − {n})", np.log(1 - v)
    yield f"1/(1 − {n})", 1 / (1 - v)
    yield f"{n}·log({n})", v * np.log(v)
    yield f"(1 − {n})·log({n})", (1 - v) * np.log(v)
    yield f"exp(−{n})", np.exp(-v)
    yield f"log({n})", np.log(v)
    yield f"sigmoid({n})", s
    yield f"(1 − sigmoid({n}))", 1 - s
    yield f"sigmoid({n})·(1 − sigmoid({n}))", s * (1 - s)
    yield f"{n}·sigmoid({n})", v * s
    yield f"{n}·sigmoid({n})·(1 − sigmoid({n}))", v * s * (1 - s)
    yield f"tanh({n})", np.tanh(v)
    yield f"(1 − tanh({n}))", 1 - np.tanh(v)
    yield f"(1 − tanh²({n}))", 1 - np.tanh(v) ** 2
    yield f"sin({n})", np.sin(v)
    yield f"cos({n})", np.cos(v)
    yield f"1/cos²({n})", np.cos(v) ** -2
    yield f"exp(−{n}²/2)", bell
    yield f"{n}·exp(−{n}²/2)", v * bell
