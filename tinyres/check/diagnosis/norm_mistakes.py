"""A normalisation's gradient with a mistake: a factor in one of its terms, or one term made of other things."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, fit, same, subsets
from tinyres.check.diagnosis.norm_terms import NAMES, told
from tinyres.check.diagnosis.normal import Norm, average_over, extent, flat_gradients, normalisation, reach, terms


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
