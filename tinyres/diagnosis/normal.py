"""Batch norm, layer norm, group norm, RMS norm: y = gamma·x̂ + beta, x̂ = (x − mean)·r, r = 1/std = 1/√(var + eps).

Over a group of M values that share mean and variance, x reaches y along three ways:

    gx = r·gamma·gy − r·mean(gamma·gy) − r·x̂·mean(gamma·gy·x̂)
         └ direct ┘   └── via mean ──┘   └──── via variance ────┘

If that is what the true gradient is made of, the claimed one is taken apart into the same terms. (RMS norm and
dividing by a length take no mean off: they have no second term.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tinyres.diagnosis.evidence import Facts, constant, fit, same, subsets
from tinyres.diagnosis.norm_terms import NAMES, told

EPSILONS = (1e-5, 0.0, 1e-3, 1e-6, 1e-8, 1e-12, 1e-4, 1e-2, 1e-1, 1.0)
Average = Callable[[np.ndarray], np.ndarray]  # (…, x.size) -> the mean of each group, at each of its elements


class Norm(NamedTuple):
    """All arrays flat, of x.size."""

    labels: np.ndarray  # which group each element of x belongs to: 0, 1, 2, …
    centred: bool  # whether the mean is taken off
    gamma: np.ndarray
    xhat: np.ndarray
    r: np.ndarray
    eps: float


def average_over(labels: np.ndarray) -> Average:
    matrix = (labels[:, None] == labels) / np.bincount(labels)[labels]
    return lambda a: a @ matrix


def normalisation(facts: Facts) -> Norm | None:
    """What forward normalises, if it does: found by trying which gamma and eps give the true gradient."""
    labels = groups(facts)
    if labels is None:
        return None
    x, average = facts.x.ravel(), average_over(labels)
    for centred in (True, False):
        rest = x - average(x) if centred else x
        for eps in EPSILONS:
            r = 1 / np.sqrt(average(rest**2) + eps)
            for gamma in gammas(facts, rest * r, labels):
                norm = Norm(labels, centred, gamma, rest * r, r, eps)
                if same(np.sum(terms(facts, norm), axis=0), flat_gradients(facts, facts.true), 1e-8):
                    return norm
    return None


def groups(facts: Facts) -> np.ndarray | None:
    """Elements that influence one another, and all of their group: each group a full block of the Jacobian."""
    if facts.x.shape != facts.y.shape or facts.x.size < 4:
        return None
    used = facts.true != 0
    labels = np.unique(used.argmax(1), return_inverse=True)[1]
    return labels if np.array_equal(used, labels[:, None] == labels) and np.bincount(labels).min() > 1 else None


def gammas(facts: Facts, xhat: np.ndarray, labels: np.ndarray) -> Iterator[np.ndarray]:
    """What x̂ may be multiplied by: nothing, an input, a constant inside forward (then it is y's slope against x̂)."""
    x = facts.x
    yield np.ones(x.size)
    for _, a in facts.others:
        kept = [n for n in a.shape if n != 1]
        for first in range(x.ndim - len(kept) + 1):
            if list(x.shape[first : first + len(kept)]) == kept:
                around = (1,) * first + tuple(kept) + (1,) * (x.ndim - first - len(kept))
                yield np.broadcast_to(a.reshape(around), x.shape).ravel()
    yield np.full(x.size, np.bincount(labels)[0] ** -0.5)  # x/√Σx²: its mean square is 1/M
    for axes in subsets(x.ndim):
        u, v = (a.reshape(x.shape) - a.reshape(x.shape).mean(axes, keepdims=True) for a in (xhat, facts.y))
        slope = (u * v).sum(axes, keepdims=True) / (u * u).sum(axes, keepdims=True)
        if np.all(np.isfinite(slope)):
            yield np.broadcast_to(slope, x.shape).ravel()


def flat_gradients(facts: Facts, matrix: np.ndarray) -> np.ndarray:
    return facts.gradients(matrix).reshape(6, -1)


def terms(facts: Facts, norm: Norm, labels: np.ndarray | None = None) -> list[np.ndarray]:
    """Direct, via mean, via variance, with their signs, for each of facts.gys; labels: with other groups' means."""
    average = average_over(norm.labels if labels is None else labels)
    u = norm.gamma * facts.gys.reshape(6, -1)
    via_mean = [-norm.r * average(u)] if norm.centred else []
    return [norm.r * u, *via_mean, -norm.r * norm.xhat * average(u * norm.xhat)]


def wrong_normalisation(facts: Facts) -> str | None:
    norm = normalisation(facts)
    if norm is None:
        return None
    right, claimed = terms(facts, norm), flat_gradients(facts, facts.claimed)
    names = NAMES if norm.centred else (NAMES[0], NAMES[2])
    coefficients = by_group(norm, right, claimed)
    if coefficients is not None:
        return other_std(facts, norm, coefficients) or told(coefficients, names, *per_group(norm))
    for change, mistake in one_change(facts, norm, right):
        if same(claimed, np.sum(change, axis=0)):
            return mistake
        c = fit(claimed, change)
        if c is not None and (wrong := told(np.stack([c]), names, *per_group(norm))):
            return f"{mistake} Moreover: {wrong}"
    return None


def by_group(norm: Norm, right: list[np.ndarray], claimed: np.ndarray) -> np.ndarray | None:
    """The claimed gradient of each group as a sum of the terms: (groups, terms)."""
    found = []
    for label in range(norm.labels.max() + 1):
        members = norm.labels == label
        c = fit(claimed[:, members], [t[:, members] for t in right])
        if c is None:
            return None
        found.append(c)
    return np.array(found)


def per_group(norm: Norm) -> tuple[dict[str, np.ndarray], int]:
    """What a group's coefficient may have too many or too few of: its std, its gamma; and M."""
    members = [norm.labels == label for label in range(norm.labels.max() + 1)]
    known = {"std": np.array([1 / norm.r[m][0] for m in members])}
    if all(constant(norm.gamma[m]) is not None for m in members):
        known["gamma"] = np.array([norm.gamma[m][0] for m in members])
    return known, int(members[0].sum())


def other_std(facts: Facts, norm: Norm, coefficients: np.ndarray) -> str | None:
    """std with n − 1, without eps, or with eps outside the root."""
    first = [np.flatnonzero(norm.labels == label)[0] for label in range(norm.labels.max() + 1)]
    r = norm.r[first]
    eps, m = norm.eps, int(np.sum(norm.labels == 0))
    var = 1 / r**2 - eps
    for wrong, mistake in (
        (1 / np.sqrt(var), f"eps = {eps:g} is forgotten in backward's std = √(var + eps)"),
        (
            1 / np.sqrt(var * m / (m - 1) + eps),
            "its variance is the unbiased one (divided by n − 1), forward's is divided by n",
        ),
        (1 / np.sqrt(var * (m - 1) / m + eps), "its variance is divided by n, forward's by n − 1"),
        (1 / (np.sqrt(var) + eps), "eps is added to std, but forward adds it to the variance, inside the root"),
    ):
        q = wrong / r
        if np.allclose(q, 1, rtol=2e-7, atol=0):
            continue
        for powers in ((1, 1, 3), (1, 1, 1), (1, 1, 2), (0, 0, 2), (1, 0, 0), (3, 3, 3), (2, 2, 2)):
            kept = powers if norm.centred else (powers[0], powers[2])
            if np.allclose(coefficients, np.stack([q**p for p in kept], 1), rtol=2e-7, atol=0):
                return f"backward's standard deviation is wrong: {mistake}."
    return None


def one_change(facts: Facts, norm: Norm, right: list[np.ndarray]) -> Iterator[tuple[list[np.ndarray], str]]:
    """The terms with one mistake that is no mere factor, and that mistake."""
    plain = terms(facts, norm._replace(gamma=np.ones(facts.x.size)))
    yield plain, "gamma is forgotten: multiply gy by gamma first."
    yield (
        [norm.gamma * t for t in plain],
        (
            "gamma is multiplied in at the end, outside the means. It varies within a group, so gy must be "
            "multiplied by it "
            "before the means are taken."
        ),
    )
    yield [t / norm.gamma**2 for t in plain], "gy is divided by gamma, where it must be multiplied by it."
    for k in range(1, len(right)):
        yield [*right[:k], plain[k], *right[k + 1 :]], f"gamma is forgotten in {NAMES[k + 3 - len(right)]}."
    for axes in subsets(facts.x.ndim):
        kept = [1 if a in axes else n for a, n in enumerate(facts.x.shape)]
        labels = np.broadcast_to(np.arange(np.prod(kept)).reshape(kept), facts.x.shape).ravel()
        other = terms(facts, norm, labels)
        text = f"taken over the axes {axes} of x, but forward's statistics are over {extent(facts, norm)}."
        yield [right[0], *other[1:]], f"The means in backward are {text}"
        for k in range(1, len(right)):
            name = NAMES[k + 3 - len(right)]
            yield [*right[:k], other[k], *right[k + 1 :]], f"In {name} the mean is {text}"
    yield from astray(facts, norm, right)
    x, average = facts.x.ravel(), average_over(norm.labels)
    u = norm.gamma * facts.gys.reshape(6, -1)
    stand_ins = {"x̂": norm.xhat, "x": x, "(x − mean)": x - average(x), "y": facts.y.ravel()}
    for outer, a in stand_ins.items():
        for inner, b in stand_ins.items():
            if (outer, inner) != ("x̂", "x̂"):
                yield (
                    [*right[:-1], -norm.r * a * average(u * b)],
                    f"In {NAMES[2]}, backward uses {outer}·mean(gamma·gy·{inner}) where x̂·mean(gamma·gy·x̂) is due.",
                )


def astray(facts: Facts, norm: Norm, right: list[np.ndarray]) -> Iterator[tuple[list[np.ndarray], str]]:
    """The means over the right axes, but without keepdims, so that they are spread along others."""
    shape, axes = facts.x.shape, reach(facts, norm)

    def spread(a: np.ndarray) -> np.ndarray:
        means = np.asarray(a.reshape(-1, *shape).mean(tuple(k + 1 for k in axes)))
        wide = np.stack([np.broadcast_to(m, shape) for m in means])
        return wide.reshape(a.shape)

    try:
        r = spread(norm.r)
    except ValueError:  # they fit nowhere else: numpy would have refused
        return
    u = norm.gamma * facts.gys.reshape(6, -1)
    means = [-norm.r * spread(u)] if norm.centred else []
    wrong = [right[0], *means, -norm.r * norm.xhat * spread(u * norm.xhat)]
    keep = f"over axis {', '.join(map(str, axes))} of x are spread along other axes: keepdims=True is missing"
    yield wrong, f"The means {keep}."
    for k in range(1, len(right)):
        yield [*right[:k], wrong[k], *right[k + 1 :]], f"In {NAMES[k + 3 - len(right)]}, the means {keep}."
    yield [t / norm.r * r for t in right], f"std's values {keep}."
    yield [t / norm.r * r for t in wrong], f"The means and std {keep}."


def reach(facts: Facts, norm: Norm) -> tuple[int, ...]:
    """The axes over which forward's groups reach."""
    members = np.stack(np.unravel_index(np.flatnonzero(norm.labels == 0), facts.x.shape))
    return tuple(a for a in range(facts.x.ndim) if len(np.unique(members[a])) > 1)


def extent(facts: Facts, norm: Norm) -> str:
    return f"the axes {reach(facts, norm)}"
