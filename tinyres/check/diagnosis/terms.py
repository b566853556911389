"""A gradient that is a known formula, a sum of terms (see gradients.py), with a mistake in it.

A formula is believed only if it gives the true gradient. Then the claimed one is the same formula with a mistake in it:
a term with a wrong factor, a name or an operator exchanged (see mutants.py), or two of these at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from math import erf
from typing import Any, NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, fit, number, same
from tinyres.check.diagnosis.factor import by_counts, is_
from tinyres.check.diagnosis.mutants import FILE, Swaps, mutants, replaced

PASSED = ": {} is treated as a constant, but it depends on x"
GYS = 3  # of the random gys: enough to tell formulas apart


class Formula(NamedTuple):
    """terms: their source, by what they are called. known: the values of the names in it, but for gy.

    first: lines that come before the terms, name -> source. swaps: what people write in place of a name. weight: what
    gy is multiplied by beforehand. counts: numbers of elements that a term may be divided by, and what they are.
    """

    start: str
    terms: dict[str, str]
    known: dict[str, Any]
    swaps: Swaps
    counts: dict[int, str]
    first: dict[str, str] = {}  # noqa: RUF012  # never changed
    weight: np.ndarray | float = 1.0
    as_it_came: bool = False  # gy in y's shape; else in x's, each x having that of the output that it reaches

    @property
    def lines(self) -> dict[str, str]:
        """All sources, those of the terms without their signs."""
        return self.first | {name: source.removeprefix("-") for name, source in self.terms.items()}

    def values(self, facts: Facts, changed: dict[str, str]) -> list[np.ndarray]:
        """Each term for some gys, (GYS, *x.shape); changed: what some of the lines have become."""
        codes = {name: compile(source, FILE, "eval") for name, source in (self.lines | changed).items()}
        found = []
        for gy in (facts.gys if self.as_it_came else facts.gys_of_x())[:GYS] * self.weight:
            space: dict[str, Any] = FUNCTIONS | self.known | {"gy": gy}
            for name, line in codes.items():
                space[name] = eval(line, space)
            signs = {name: -1.0 if source.startswith("-") else 1.0 for name, source in self.terms.items()}
            found.append([np.broadcast_to(sign * space[name], facts.x.shape) for name, sign in signs.items()])
        return [np.stack(term) for term in zip(*found, strict=True)]


def softmax(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


FUNCTIONS = {
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "softmax": softmax,
    "log_softmax": lambda x, axes: np.log(softmax(x, axes)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "phi": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    "Phi": np.vectorize(lambda v: (1 + erf(v / 2**0.5)) / 2),
}


def wrong_term(facts: Facts, formulas: Iterable[Formula]) -> str | None:
    """The first of the formulas that is the true gradient: which mistake makes the claimed one of it?"""
    for formula in formulas:
        right = formula.values(facts, {})
        scale = fit(facts.gradients(facts.true)[:GYS], [np.sum(right, axis=0)])
        if scale is not None and scale[0]:
            return explained(facts, formula._replace(weight=formula.weight * scale[0]))
    return None


def explained(facts: Facts, formula: Formula) -> str | None:
    """Which mistake in the formula gives the claimed gradient: factors of its terms, one change, or a change in two."""
    claimed, right = facts.gradients(facts.claimed)[:GYS], formula.values(facts, {})
    start = f"{formula.start} `{' + '.join(formula.terms.values()).replace('+ -', '- ')}`, but "
    factors = fit(claimed, right)
    if factors is not None and all("." not in number(c) for c in factors):  # as somebody may have written them
        return f"{start}{words}." if (words := coefficients(formula, factors)) else None
    wrong = []
    for lines, words in mistakes(formula):
        try:
            values = formula.values(facts, lines)
        except Exception:  # shapes that do not fit: then it is not what happened
            continue
        if same(claimed, np.sum(values, axis=0)):
            return f"{start}{words}."
        if len(lines) == 1:
            wrong.append((list(lines), np.sum(values, axis=0) - np.sum(right, axis=0), words))
    rest = claimed - np.sum(right, axis=0)
    for (line, v, one), (another, w, other) in combinations(wrong, 2):
        if line != another and abs(v.flat[0] + w.flat[0] - rest.flat[0]) < 1e-6 and same(rest, v + w):
            return f"{start}{one}, and {other}."
    return None if factors is None else f"{start}{coefficients(formula, factors)}."


def mistakes(formula: Formula) -> Iterator[tuple[dict[str, str], str]]:
    """(what some lines become by one mistake, the mistake): a name exchanged in all terms, or a change in one line."""
    for name, news in formula.swaps.items():
        for new, words in news:
            for lines in ({name: new},) * (name in formula.first) + (everywhere(formula, name, new),):
                yield lines, words or f"`{new}` is used in place of `{name}`"
    for line, source in formula.lines.items():
        for changed, words in mutants(source, formula.swaps):
            yield {line: changed}, words if line.startswith("_") else f"in {line}, {words}"
    for name in (*formula.first, *(name for name, value in formula.known.items() if isinstance(value, np.ndarray))):
        for new, words in (("1", "is forgotten"), (f"{name}**2", "enters twice"), (f"1 / {name}", "is upside down")):
            yield everywhere(formula, name, new), f"{name} {words}"


def everywhere(formula: Formula, name: str, new: str) -> dict[str, str]:
    return {line: replaced(formula.lines[line], name, new) for line in formula.terms}


def coefficients(formula: Formula, c: np.ndarray) -> str:
    """What is wrong if the terms are multiplied by c; empty if nothing is."""
    if same(np.abs(c), np.full(len(c), abs(c[0])), 1e-6) and not is_(abs(c[0]), 1):
        much = f"all of it is {number(abs(c[0]))} times too large: a constant that forward multiplies by is forgotten"
        signs = [f"the sign of `{s}` is wrong" for s, v in zip(formula.terms.values(), c, strict=True) if v < 0]
        return "; ".join([f"{much} (1/temperature, or 1/N)", *signs])
    wrong = []
    for (name, source), v in zip(formula.terms.items(), c, strict=True):
        what = f"the term `{source}`" if name.startswith("_") else f"{name}, `{source}`,"
        if v == 0:
            wrong.append(f"{what} is missing{PASSED.format(way) if (way := name.partition('via ')[2]) else ''}")
        elif not is_(v, 1):
            sign = " has the wrong sign (flipped)" if v < 0 else ""
            wrong.append(f"{what}{sign}{'' if is_(v, -1) else of_size(abs(float(v)), formula.counts)}")
    return "; ".join(wrong)


def of_size(factor: float, counts: dict[int, str]) -> str:
    """Where the factor of one term comes from."""
    instead = dict.fromkeys(range(2, max(counts, default=2)), "")
    lacking = f"lacks a factor {number(1 / factor)}" if factor < 1 else f"has a factor {number(factor)} too many"
    return f" {next((words for words in by_counts(factor, counts, instead) if '√' not in words), lacking)}"
