"""Local derivatives that are sums, by the product rule: SiLU, GELU, mish. Which of the terms is wrong?

Each may be multiplied by another input as well (a gate, as in SwiGLU) or by a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import erf, pi, sqrt

import numpy as np

from tinyres.check.diagnosis.evidence import fit, number
from tinyres.check.diagnosis.pairs import Pairs

Term = tuple[str, np.ndarray]


def wrong_term(p: Pairs) -> str | None:
    gates = [("", np.ones(len(p.true))), *((f"·{n}", v) for n, v in p.values.items() if n.startswith("input"))]
    for name, terms in products(p.values["x"]):
        for gate, weight in gates:
            right = [t * weight for _, t in terms]
            scale = fit(p.true, [sum(right)])
            c = None if scale is None else fit(p.claimed, [scale[0] * t for t in right])
            if c is None:
                continue
            names = [n for n, _ in terms]
            wrong = [fault(n + gate, v) for n, v in zip(names, c, strict=True) if abs(v - 1) > 1e-6]
            return f"By the product rule the derivative of {name} is {' + '.join(names)}. There, {'; '.join(wrong)}."
    return None


def fault(term: str, c: float) -> str:
    if c == 0:
        return f"the term {term} is missing"
    if abs(c + 1) < 1e-6:
        return f"the sign of the term {term} is wrong"
    if 0 < c < 1:
        return f"the term {term} lacks a factor {number(1 / c)}"
    return f"the term {term} has a factor {number(c)} too many"


def products(x: np.ndarray) -> Iterator[tuple[str, list[Term]]]:
    """(a function of x, the terms of its derivative)"""
    with np.errstate(all="ignore"):
        s = 1 / (1 + np.exp(-x))
        yield "x·sigmoid(x)", [("sigmoid(x)", s), ("x·sigmoid(x)·(1 − sigmoid(x))", x * s * (1 - s))]
        k, cubic = sqrt(2 / pi), 0.044715
        t = np.tanh(k * (x + cubic * x**3))
        bell = x * (1 - t**2) * k / 2
        yield (
            "GELU, x/2·(1 + t) with t = tanh(√(2/π)·(x + 0.044715·x³)),",
            [
                ("(1 + t)/2", (1 + t) / 2),
                ("x/2·(1 − t²)·√(2/π)", bell),
                ("x/2·(1 − t²)·√(2/π)·3·0.044715·x²", bell * 3 * cubic * x**2),
            ],
        )
        q = 1 / (1 + np.exp(-1.702 * x))
        yield "x·sigmoid(1.702·x)", [("sigmoid", q), ("1.702·x·sigmoid·(1 − sigmoid)", 1.702 * x * q * (1 - q))]
        phi = np.exp(-(x**2) / 2) / sqrt(2 * pi)
        yield "GELU, x·Φ(x),", [("Φ(x)", normal_below(x)), ("x·φ(x)", x * phi)]
        u = np.tanh(np.log1p(np.exp(x)))
        yield "mish, x·tanh(softplus(x)),", [("tanh(softplus(x))", u), ("x·(1 − tanh²)·sigmoid(x)", x * (1 - u**2) * s)]
        yield "x·tanh(x)", [("tanh(x)", np.tanh(x)), ("x·(1 − tanh²(x))", x * (1 - np.tanh(x) ** 2))]


def normal_below(x: np.ndarray) -> np.ndarray:
    """Φ, the normal distribution's share below x."""
    return np.array([(1 + erf(v / sqrt(2))) / 2 for v in x])
