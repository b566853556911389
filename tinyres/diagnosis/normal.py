"""Batch norm, layer norm and their kind: y = gamma·x̂ + beta, x̂ = (x − mean)·r, r = 1/√(var + eps).

Over a group of M values that share their mean and variance,

    gx = r·(gamma·gy) − r·mean(gamma·gy) − r·x̂·mean(gamma·gy·x̂)
         └─ direct ─┘   └── via mean ──┘   └──────via var ──────┘

If that holds for the true gradient, then the claimed one is taken apart into the same three terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tinyres.diagnosis.evidence import Facts, constant, fit, number, same, subsets

Axes = tuple[int, ...]
TERMS = ("the direct term", "the term via the mean", "the term via the variance")
FORMULAS = ("gamma·gy/std", "−mean(gamma·gy)/std", "−x̂·mean(gamma·gy·x̂)/std")


class Norm(NamedTuple):
    axes: Axes  # over which mean and variance are taken
    gamma: np.ndarray  # like x
    xhat: np.ndarray
    r: np.ndarray  # 1/std, with ones along axes
    eps: float


def normalisation(facts: Facts) -> Norm | None:
    """What forward normalises, if it does."""
    x, y, f = facts.x, facts.y, facts.forward
    if x.shape != y.shape or x.ndim == 0 or x.size < 4:
        return None
    draws = np.random.default_rng(3)
    for axes in subsets(x.ndim):
        grouped = [1 if a in axes else n for a, n in enumerate(x.shape)]
        shift = draws.standard_normal(grouped)
        shifted = f(*(x + shift if j == facts.index else a for j, a in enumerate(facts.inputs)))
        if same(shifted, y, 1e-9):
            return with_scale(facts, axes)
    return None


def with_scale(facts: Facts, axes: Axes) -> Norm | None:
    """Find gamma and eps: those with which the known formula gives the true gradient."""
    x = facts.x
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    gammas = [np.ones(x.shape)]
    for _, a in facts.others:
        kept = [n for n in a.shape if n != 1]
        for first in range(x.ndim - len(kept) + 1):
            if list(x.shape[first : first + len(kept)]) == kept:
                around = (1,) * first + tuple(kept) + (1,) * (x.ndim - first - len(kept))
                gammas.append(np.broadcast_to(a.reshape(around), x.shape))
    for gamma in gammas:
        for eps in (1e-5, 0.0, 1e-3, 1e-6, 1e-8, 1e-12, 1e-4, 1e-2, 1e-1):
            r = 1 / np.sqrt(var + eps)
            norm = Norm(axes, gamma, (x - mean) * r, r, eps)
            if same(sum(terms(facts, norm)), facts.gradients(facts.true), 1e-8):
                return norm
    return None


def terms(facts: Facts, norm: Norm) -> list[np.ndarray]:
    """The three, with their signs, for each of facts.gys."""
    over = tuple(a + 1 for a in norm.axes)
    u = norm.gamma * facts.gys
    return [
        norm.r * u,
        -norm.r * u.mean(over, keepdims=True) * np.ones(u.shape),
        -norm.r * norm.xhat * (u * norm.xhat).mean(over, keepdims=True),
    ]


def wrong_normalisation(facts: Facts) -> str | None:
    norm = normalisation(facts)
    if norm is None:
        return None
    right, claimed = terms(facts, norm), facts.gradients(facts.claimed)
    answer = from_coefficients(facts, norm, right, claimed)
    if answer:
        return answer
    for changed, mistake in one_change(facts, norm, right):
        if same(claimed, changed):
            return mistake
    for changes, mistake in replaced_terms(facts, norm):
        c = fit(claimed, [changes.get(k, right[k]) for k in range(3)])
        if c is not None and np.all([constant(v, 1e-6) is not None for v in c]) and all(simple(v) for v in c):
            rest = coefficients_told(dict(enumerate(c)), facts, norm)
            return mistake + (f" Also, {rest}" if rest else "")
    return None


def simple(c: float) -> bool:
    return c == 0 or "." not in number(c)


def from_coefficients(facts: Facts, norm: Norm, right: list[np.ndarray], claimed: np.ndarray) -> str | None:
    """Each group's gradient as a·direct + b·via mean + c·via variance."""
    groups = [a for a in range(facts.x.ndim) if a not in norm.axes]
    found = []
    for place in np.ndindex(*(facts.x.shape[a] for a in groups)):
        at: list = [slice(None)] * (facts.x.ndim + 1)
        for a, i in zip(groups, place, strict=True):
            at[a + 1] = i
        c = fit(claimed[tuple(at)], [t[tuple(at)] for t in right])
        if c is None:
            return None
        found.append(c)
    coefficients = np.array(found)  # (groups, 3)
    if answer := other_variance(facts, norm, coefficients):
        return answer
    r = norm.r.ravel()
    gamma = norm.gamma.transpose(*groups, *norm.axes).reshape(len(r), -1)
    per_group = {"std": 1 / r}
    if all(constant(g) is not None for g in gamma):
        per_group["gamma"] = gamma[:, 0]
    told = {}
    for k in range(3):
        told[k] = power_of(coefficients[:, k], per_group)
        if told[k] is None:
            return None
    return sentence(facts, norm, told)


def power_of(c: np.ndarray, known: dict[str, np.ndarray]) -> tuple[float, dict[str, int]] | None:
    """(factor, {name: exponent}) with c = factor·Π name^exponent"""
    names = list(known)
    for exponents in sorted(np.ndindex(*(7,) * len(names)), key=lambda e: sum(abs(i - 3) for i in e)):
        powers = {n: i - 3 for n, i in zip(names, exponents, strict=True) if i != 3}
        base = np.prod([known[n] ** e for n, e in powers.items()] or [np.ones(len(c))], axis=0)
        factor = constant(c / base, 1e-6)
        if factor is not None and (len(c) > 1 or simple(factor)):
            return factor, powers
    return None


def sentence(facts: Facts, norm: Norm, told: dict) -> str | None:
    missing = [k for k in range(3) if told[k][0] == 0]
    if missing == [1, 2]:
        rest = odd(facts, norm, told, [0])
        return (
            "Both corrections are missing: the mean and the variance are treated as constants, though both depend on x. "
            f"Add the term via the mean, {FORMULAS[1]}, and the term via the variance, {FORMULAS[2]}.{rest}"
        )
    if missing == [0, 1, 2] or 0 in missing:
        return "The direct term gamma·gy/std is missing." if missing == [0] else None
    if missing:
        k = missing[0]
        what = ("", "the batch's (the group's) mean", "the variance")[k]
        rest = odd(facts, norm, told, [i for i in range(3) if i != k])
        return f"The gradient is missing the term that comes from {what}: {FORMULAS[k]} ({TERMS[k][4:]}).{rest}"
    rest = odd(facts, norm, told, [0, 1, 2])
    return rest.strip() or None


def odd(facts: Facts, norm: Norm, told: dict, which: list[int]) -> str:
    """What is wrong with the terms that are there."""
    first = told[which[0]]
    if all(told[k] == first or (abs(told[k][0] - first[0]) < 1e-6 and told[k][1] == first[1]) for k in which):
        wrong = oddity(facts, norm, *first)
        return f" The gradient {'is' if len(which) == 3 else 'also is'} wrong by a factor throughout: {wrong}." if wrong else ""
    parts = [f"{TERMS[k]} ({FORMULAS[k]}): {oddity(facts, norm, *told[k])}" for k in which if oddity(facts, norm, *told[k])]
    return f" Wrong is {'; '.join(parts)}." if parts else ""


def oddity(facts: Facts, norm: Norm, factor: float, powers: dict[str, int]) -> str:
    words = []
    m = int(np.prod([facts.x.shape[a] for a in norm.axes]))
    for name, e in powers.items():
        if name == "std":
            what = {1: "1/std is forgotten", 2: "divided by nothing, but multiplied by std", -1: "divided by the variance (std²) in place of std"}
            words.append(what.get(e, f"std to the power {number(e)} too many"))
        else:
            what = {-1: "gamma is forgotten", 1: "gamma enters twice", -2: "divided by gamma where it must be multiplied"}
            words.append(what.get(e, f"gamma to the power {number(e)} too many"))
    size = abs(factor)
    if factor < 0:
        words.append("the sign is wrong (flipped)")
    if abs(size - m) < 1e-6 * m:
        words.append(f"it is not divided by the number of elements M = {m} (a sum where the mean is due)")
    elif abs(size - 1 / m) < 1e-6 / m:
        words.append(f"it is divided by M = {m} once too often")
    elif m > 1 and abs(size - m / (m - 1)) < 1e-7:
        words.append(f"it is divided by M − 1 = {m - 1} in place of M = {m} (n and n − 1 mixed up)")
    elif m > 1 and abs(size - (m - 1) / m) < 1e-7:
        words.append(f"it is divided by M = {m} in place of M − 1 = {m - 1} (n and n − 1 mixed up)")
    elif abs(size - 1) > 1e-6:
        hint = "".join(
            f": divided by {m / size:.4g} elements (a part of the axes) in place of {m}"
            for _ in (0,)
            if abs(m / size - round(m / size)) < 1e-6 and size > 1 and abs(size - 2) > 1e-6
        )
        words.append(f"it has a factor {number(size)} too many{hint}")
    return ", ".join(words)


def other_variance(facts: Facts, norm: Norm, coefficients: np.ndarray) -> str | None:
    """std with n − 1, or without eps."""
    x = facts.x
    r = norm.r.ravel()
    var = x.var(norm.axes).ravel()
    m = x.size // len(r)
    candidates = [
        (1 / np.sqrt(var), f"eps = {norm.eps:g} is forgotten in backward's std = √(var + eps)"),
        (1 / np.sqrt(var * m / (m - 1) + norm.eps), "the variance is the unbiased one (divided by n − 1), but forward divides by n"),
        (1 / np.sqrt(var * (m - 1) / m + norm.eps), "the variance is divided by n, but forward's by n − 1"),
        (1 / (np.sqrt(var) + norm.eps), "eps is added to std, but forward adds it to the variance, inside the root"),
        (1 / (var + norm.eps), "the variance stands where std is due: the root is forgotten"),
    ]
    for wrong, mistake in candidates:
        q = wrong / r
        for powers in ((1, 1, 3), (1, 1, 1), (1, 1, 2), (0, 0, 2), (0, 0, 1), (1, 0, 0), (3, 3, 3), (2, 2, 2)):
            predicted = np.stack([q**p for p in powers], 1)
            if np.allclose(coefficients, predicted, rtol=2e-7, atol=0):
                return f"The standard deviation is wrong: {mistake}."
    return None


def one_change(facts: Facts, norm: Norm, right: list[np.ndarray]) -> Iterator[tuple[np.ndarray, str]]:
    """Whole gradients with one mistake that is not in a coefficient."""
    over = tuple(a + 1 for a in norm.axes)
    x, gys = facts.x, facts.gys
    plain = terms(facts, norm._replace(gamma=np.ones(x.shape)))
    yield sum(plain), "gamma is forgotten: multiply gy by gamma first."
    yield norm.gamma * sum(plain), (
        "gamma is multiplied in at the end, outside the means. It varies within a group, so it must be multiplied to gy "
        "before the means are taken."
    )
    for k in (1, 2):
        mixed = list(right)
        mixed[k] = plain[k]
        yield sum(mixed), f"gamma is forgotten in {TERMS[k]}: {FORMULAS[k]}."
    del over, gys


def replaced_terms(facts: Facts, norm: Norm) -> Iterator[tuple[dict[int, np.ndarray], str]]:
    """Terms as they come out with a wrong sum or a wrong x̂."""
    x = facts.x
    mean = x.mean(norm.axes, keepdims=True)
    u = norm.gamma * facts.gys
    for axes in subsets(x.ndim):
        if axes == norm.axes:
            continue
        over = tuple(a + 1 for a in axes)
        via_mean = -norm.r * u.mean(over, keepdims=True) * np.ones(u.shape)
        via_var = -norm.r * norm.xhat * (u * norm.xhat).mean(over, keepdims=True)
        text = f"taken over the axes {axes}, but forward takes its statistics over {norm.axes}."
        yield {1: via_mean, 2: via_var}, f"The means in backward are {text}"
        yield {1: via_mean}, f"In {TERMS[1]} ({FORMULAS[1]}) the mean is {text}"
        yield {2: via_var}, f"In {TERMS[2]} ({FORMULAS[2]}) the mean is {text}"
    over = tuple(a + 1 for a in norm.axes)
    stand_ins = {"x": x, "x − mean": x - mean, "y": facts.y}
    for outer_name, outer in {"x̂": norm.xhat, **stand_ins}.items():
        for inner_name, inner in {"x̂": norm.xhat, **stand_ins}.items():
            if (outer_name, inner_name) != ("x̂", "x̂"):
                wrong = -norm.r * outer * (u * inner).mean(over, keepdims=True)
                used = f"{outer_name}·mean(gamma·gy·({inner_name}))"
                yield {2: wrong}, f"In {TERMS[2]}, backward uses {used} where x̂·mean(gamma·gy·x̂) is due."


def coefficients_told(c: dict[int, float], facts: Facts, norm: Norm) -> str:
    parts = []
    for k, v in c.items():
        if v == 0:
            parts.append(f"{TERMS[k]} is missing")
        elif wrong := oddity(facts, norm, v, {}):
            parts.append(f"{TERMS[k]}: {wrong}")
    return "; ".join(parts) + "." if parts else ""
