"""Softmax, log-softmax and cross-entropy: gradients made of two terms, of which one is easily lost.

    softmax        gx = y·gy − y·Σ(gy·y)
    log-softmax    gx = gy − exp(y)·Σ gy
    cross-entropy  gx = gy·(softmax(x) − onehot)·scale          scale: 1/N for a mean

The claimed gradient is written as a sum of such terms (and of those that people write by mistake).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.diagnosis.evidence import Facts, fit, number, same, subsets

Term = tuple[str, np.ndarray]


def wrong_softmax(facts: Facts) -> str | None:
    for axes in subsets(facts.x.ndim):
        for family in (softmax_terms, log_softmax_terms, cross_entropy_terms):
            right = family(facts, axes)
            if right is not None:
                return compared(facts, right, list(mistaken(facts, axes, family)))
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


def softmax(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


def softmax_terms(facts: Facts, axes: tuple[int, ...]) -> list[Term] | None:
    x, y, g = facts.x, facts.y, facts.gys
    if x.shape != y.shape or np.any(y <= 0) or not same(y.sum(axes), np.ones_like(y.sum(axes)), 1e-9):
        return None
    right = [("y·gy", y * g), ("−y·Σ(gy·y)", -y * total(g * y, axes))]
    return right if same(sum(t for _, t in right), facts.gradients(facts.true), 1e-8) else None


def log_softmax_terms(facts: Facts, axes: tuple[int, ...]) -> list[Term] | None:
    x, y, g = facts.x, facts.y, facts.gys
    p = np.exp(y)
    if x.shape != y.shape or not same(p.sum(axes), np.ones_like(p.sum(axes)), 1e-9):
        return None
    right = [("gy", g), ("−exp(y)·Σ gy", -p * total(g, axes))]
    return right if same(sum(t for _, t in right), facts.gradients(facts.true), 1e-8) else None


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


def spread_gy(facts: Facts) -> np.ndarray | None:
    """gy of each x, if each x reaches one output."""
    used = facts.true != 0
    if not np.all(used.sum(0) == 1):
        return None
    return facts.gys.reshape(6, -1)[:, used.argmax(0)].reshape(6, *facts.x.shape)


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
        right = cross_entropy_terms(facts, axes)
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


def compared(facts: Facts, right: list[Term], wrong: list[tuple[int, Term, str]]) -> str | None:
    claimed = facts.gradients(facts.claimed)
    terms = [t for _, t in right]
    names = [n for n, _ in right]
    c = fit(claimed, terms)
    if c is not None:
        return told(facts, names, c)
    due = f"The gradient must be {names[0]} {names[1].replace('−', '− ')}"
    for k, (name, term), mistake in wrong:
        c = fit(claimed, [term, terms[1 - k]])
        if c is not None and all(simple(v) for v in c) and c[0]:
            stands = f"{due}; instead of {names[k].strip('−')} backward uses {name.strip('−')}: {mistake}."
            others = told_factor(facts, names[1 - k], c[1])
            own = told_factor(facts, name, c[0])
            return stands + "".join(f" Also, {t}." for t in (others, own) if t)
    if names[0] == "softmax(x)" and same(claimed, (terms[0] + terms[1]) * terms[0] / spread_weight(facts, terms)):
        return f"{due}; backward multiplies that by softmax(x) once more, though its derivative is contained already."
    if names[0] == "softmax(x)" and (answer := wrong_onehot(facts, terms)):
        return answer
    weighted = fit(claimed, [terms[0] * facts.y, terms[1] * facts.y]) if facts.x.shape == facts.y.shape else None
    if weighted is not None:
        return f"{due}; backward multiplies that by y once more."
    return None


def spread_weight(facts: Facts, terms: list[np.ndarray]) -> np.ndarray:
    """scale·gy at each x: with it, terms[0] is softmax(x) and terms[1] −onehot."""
    gy = spread_gy(facts)
    assert gy is not None
    return np.max(np.abs(terms[1] / gy)) * gy


def wrong_onehot(facts: Facts, terms: list[np.ndarray]) -> str | None:
    """softmax − some other whole numbers."""
    p = facts.gradients(facts.claimed) - terms[0]
    subtracted = -p / spread_weight(facts, terms)
    if not same(np.round(subtracted), subtracted, 1e-6) or not same(
        subtracted, np.broadcast_to(subtracted[0], p.shape), 1e-6
    ):
        return None
    due = np.argwhere(terms[1][0])[0].tolist()
    return (
        "The softmax is right, but the one-hot is not: 1 must be subtracted at each sample's own label and "
        "nowhere else "
        f"(at {due} for the first sample). Backward subtracts {np.round(subtracted[0]).astype(int).tolist()}: "
        "index with "
        "[np.arange(N), labels]."
    )


def simple(c: float) -> bool:
    return "." not in number(c)


def told(facts: Facts, names: list[str], c: np.ndarray) -> str | None:
    due = f"The gradient must be {names[0]} {names[1].replace('−', '− ')}"
    if c[0] == 0 or c[1] == 0:
        gone = int(c[1] == 0)
        factor = told_factor(facts, names[1 - gone], c[1 - gone])
        return f"{due}, but the term {names[gone]} is missing." + (f" Also, {factor}." if factor else "")
    wrong = [t for t in (told_factor(facts, n, v) for n, v in zip(names, c, strict=True)) if t]
    return f"{due}, but {'; '.join(wrong)}." if wrong else None


def told_factor(facts: Facts, name: str, c: float) -> str | None:
    if c == 0:
        return f"the term {name} is missing"
    if abs(c - 1) < 1e-6:
        return None
    if abs(c + 1) < 1e-6:
        return f"the sign of {name} is wrong"
    for a, n in enumerate(facts.x.shape):
        if abs(abs(c) - 1 / n) < 1e-6:
            return f"{name} is divided by {n}, the length of axis {a}, once too often (a mean in place of a sum)"
        if abs(abs(c) - n) < 1e-6:
            return f"{name} is not divided by {n}, the length of axis {a}"
    return f"{name} has a factor {number(c)} too many"
