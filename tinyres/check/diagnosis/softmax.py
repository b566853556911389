"""Softmax, log-softmax and cross-entropy: gradients made of two terms, of which one is easily lost.

    softmax        gx = y·gy − y·Σ(gy·y)
    log-softmax    gx = gy − exp(y)·Σ gy
    cross-entropy  gx = gy·(softmax(x) − onehot)·scale          scale: 1/N for a mean

The claimed gradient is written as a sum of such terms (and of those that people write by mistake).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, fit, jacobian, same, subsets
from tinyres.check.diagnosis.softmax_terms import Term, compared, softmax, spread_gy


def wrong_softmax(facts: Facts) -> str | None:
    true = facts.gradients(facts.true)
    for axes in subsets(facts.x.ndim):
        for family in (softmax_terms, log_softmax_terms, cross_entropy_terms, soft_target_terms):
            right = family(facts, axes)
            scale = None if right is None else fit(true, [right[0][1] + right[1][1]])
            if right is not None and scale is not None:  # scale: what forward multiplies x by before, 1/temperature
                right = [(name, scale[0] * t) for name, t in right]
                wrong = [(k, (name, scale[0] * t), why) for k, (name, t), why in mistaken(facts, axes, family)]
                return compared(facts, right, wrong)
    return None


def total(a: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The sum over axes of x, for each of the random gys."""
    return a.sum(tuple(k + 1 for k in axes), keepdims=True)


def astray(a: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """The same sum without keepdims, where numpy spreads it along another axis; None if it does not fit there."""
    short = a.sum(tuple(k + 1 for k in axes))
    if a.ndim - 1 == len(axes) or short.shape[1:] != a.shape[-short.ndim + 1 :]:
        return None
    return np.broadcast_to(short.reshape(len(a), *(1,) * len(axes), *short.shape[1:]), a.shape)


def softmax_terms(facts: Facts, axes: tuple[int, ...]) -> list[Term] | None:
    x, y, g = facts.x, facts.y, facts.gys
    if x.shape != y.shape or np.any(y <= 0) or not same(y.sum(axes), np.ones_like(y.sum(axes)), 1e-9):
        return None
    return [("y·gy", y * g), ("−y·Σ(gy·y)", -y * total(g * y, axes))]


def log_softmax_terms(facts: Facts, axes: tuple[int, ...]) -> list[Term] | None:
    x, y, g = facts.x, facts.y, facts.gys
    p = np.exp(y)
    if x.shape != y.shape or not same(p.sum(axes), np.ones_like(p.sum(axes)), 1e-9):
        return None
    return [("gy", g), ("−exp(y)·Σ gy", -p * total(g, axes))]


def cross_entropy_terms(facts: Facts, axes: tuple[int, ...]) -> list[Term] | None:
    """One output for all samples, or one for each."""
    x = facts.x
    if facts.y.size == x.size or len(axes) != 1 or x.ndim < 1 or x.shape[axes[0]] < 2:
        return None
    p, slopes = softmax(x, axes), facts.true.sum(0).reshape(x.shape)
    with np.errstate(all="ignore"):
        scale = float(np.abs(slopes[slopes > 0] / p[slopes > 0]).mean()) if np.any(slopes > 0) else 0.0
    if not scale:
        return None
    onehot = p - slopes / scale
    if not same(np.round(onehot), onehot, 1e-6) or not same(onehot.sum(axes), np.ones_like(onehot.sum(axes)), 1e-6):
        return None
    onehot, gy = np.round(onehot), spread_gy(facts)
    if gy is None:
        return None
    right = [("softmax(x)", p * scale * gy), ("−onehot", -onehot * scale * gy)]
    return right if same(sum(t for _, t in right), facts.gradients(facts.true), 1e-8) else None


def soft_target_terms(facts: Facts, axes: tuple[int, ...]) -> list[Term] | None:
    """A cross-entropy with targets that are no one-hot: labels smoothed, or probabilities; its slopes at two x tell."""
    if facts.y.size != 1 or len(axes) != 1 or facts.x.shape[axes[0]] < 2:
        return None
    elsewhere = [a * 0.5 if j == facts.index else a for j, a in enumerate(facts.inputs)]
    here, there = softmax(facts.x, axes), softmax(facts.x * 0.5, axes)
    slopes = facts.true.reshape(facts.x.shape)
    change = slopes - jacobian(facts.forward, elsewhere, facts.index).reshape(facts.x.shape)
    scale = fit(change, [here - there])
    if scale is None or not scale[0]:
        return None
    target = here - slopes / scale[0]
    if not same(target.sum(axes), np.ones_like(target.sum(axes)), 1e-6) or not target.any():
        return None
    weight = scale[0] * facts.gys.reshape(6, *(1,) * facts.x.ndim)
    return [("softmax(x)", here * weight), ("−target", -target * weight)]


def mistaken(facts: Facts, axes: tuple[int, ...], family: object) -> Iterator[tuple[int, Term, str]]:
    """(which of the two terms, what stands there instead, what is wrong about it)"""
    x, y, g = facts.x, facts.y, facts.gys
    n = int(np.prod([x.shape[a] for a in axes]))
    if family is softmax_terms:
        yield (
            1,
            ("−y·(gy·y)", -y * g * y),
            (
                f"only the diagonal of the Jacobian, y·(1 − y), is used: the sum over axis {axes} is missing. "
                "The second term is −y·Σ(gy·y), with every gy of the row"
            ),
        )
        yield 1, ("−y·Σ gy", -y * total(g, axes)), "gy is summed without its weights y"
        yield 1, ("−Σ(gy·y)", -total(g * y, axes) * np.ones(g.shape)), "the factor y before the sum is missing"
        yield 1, ("−x·Σ(gy·y)", -x * total(g * y, axes)), "x stands where y is due"
        if (spread := astray(g * y, axes)) is not None:
            yield 1, ("−y·Σ(gy·y), spread along another axis", -y * spread), "keepdims=True is missing in the sum"
        for other in subsets(x.ndim):
            if other != axes:
                text = f"the sum runs over axis {other}, but forward's softmax over {axes}"
                yield 1, (f"−y·Σ(gy·y) over {other}", -y * total(g * y, other)), text
        yield 0, ("gy", g), "gy stands alone, without the factor y"
        yield 0, ("x·gy", x * g), "x stands where y is due"
    elif family is log_softmax_terms:
        p = np.exp(y)
        yield 1, ("−exp(y)·gy", -p * g), f"gy is not summed over axis {axes}: the second term is −softmax·Σ gy"
        yield 1, ("−y·Σ gy", -y * total(g, axes)), "y, the logarithm, stands where the softmax exp(y) is due"
        yield 1, ("−exp(y)·Σ(gy·exp(y))", -p * total(g * p, axes)), "the sum is weighted as in softmax's own backward"
        yield 1, ("−exp(x)·Σ gy", -np.exp(x) * total(g, axes)), "exp(x) is not divided by its sum"
        yield 1, ("−Σ gy", -total(g, axes) * np.ones(g.shape)), "the factor softmax = exp(y) is missing"
        yield 1, ("−Σ gy/n", -total(g, axes) * np.ones(g.shape) / n), "the mean of gy stands where softmax·Σ gy is due"
        if (spread := astray(g, axes)) is not None:
            yield 1, ("−exp(y)·Σ gy, spread along another axis", -p * spread), "keepdims=True is missing in the sum"
        for other in subsets(x.ndim):
            if other != axes:
                text = f"the sum runs over axis {other}, but forward's softmax over {axes}"
                yield 1, (f"−exp(y)·Σ gy over {other}", -p * total(g, other)), text
        yield 0, ("exp(y)·gy", p * g), "it has a factor softmax = exp(y) too many"
    else:
        right = cross_entropy_terms(facts, axes) or soft_target_terms(facts, axes)
        assert right is not None
        weight = right[0][1] / softmax(x, axes)  # scale·gy
        yield 0, ("x", x * weight), "the softmax is missing: the bare logits x stand where softmax(x) is due"
        yield 0, ("exp(x)", np.exp(x) * weight), "exp(x) is not divided by its sum (the softmax is not normalised)"
        yield (
            0,
            ("log_softmax(x)", np.log(softmax(x, axes)) * weight),
            "log-softmax stands where softmax is due (exp is missing)",
        )
        yield 0, ("1", weight), "1 stands where softmax(x) is due"
        for other in subsets(x.ndim):
            if other != axes:
                yield (
                    0,
                    ("softmax", softmax(x, other) * weight),
                    f"the softmax runs over axis {other}, in forward over {axes}",
                )
