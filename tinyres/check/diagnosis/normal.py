"""Batch norm, layer norm, group norm, RMS norm: y = gamma·x̂ + beta, x̂ = (x − mean)·r, r = 1/std = 1/√(var + eps).

Over a group of M values that share mean and variance, x reaches y along three ways:

    gx = r·gamma·gy − r·mean(gamma·gy) − r·x̂·mean(gamma·gy·x̂)
         └ direct ┘   └── via mean ──┘   └──── via variance ────┘

(RMS norm and dividing by a length take no mean off: they have no second term.) Here is what forward normalises, if
it does; `norm_mistakes` takes the claimed gradient apart into the same terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same, subsets

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


def reach(facts: Facts, norm: Norm) -> tuple[int, ...]:
    """The axes over which forward's groups reach."""
    members = np.stack(np.unravel_index(np.flatnonzero(norm.labels == 0), facts.x.shape))
    return tuple(a for a in range(facts.x.ndim) if len(np.unique(members[a])) > 1)


def extent(facts: Facts, norm: Norm) -> str:
    return f"the axes {reach(facts, norm)}"
