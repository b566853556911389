"""What a claimed gradient of softmax or cross-entropy is made of, in place of the right terms."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, fit, number, same, subsets

Term = tuple[str, np.ndarray]


def softmax(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


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
    for first in (w for w in wrong if w[0] == 0):
        for second in (w for w in wrong if w[0] == 1):
            if same(claimed, first[1][1] + second[1][1]):
                both = f"{due}; backward uses {first[1][0]} {second[1][0].replace('−', '− ')}"
                return f"{both}: {first[2]}, and {second[2]}."
    if names[0] == "softmax(x)" and same(claimed, (terms[0] + terms[1]) * terms[0] / spread_weight(facts, terms)):
        return f"{due}; backward multiplies that by softmax(x) once more, though its derivative is contained already."
    at_the_label = (terms[0] + terms[1]) * (terms[1] != 0)
    if names[0] == "softmax(x)" and same(claimed, at_the_label):
        return f"{due}; backward fills in the label's own element only: the other classes get softmax(x)."
    if names[0] == "softmax(x)" and (answer := wrong_onehot(facts, terms)):
        return answer
    weighted = fit(claimed, [terms[0] * facts.y, terms[1] * facts.y]) if facts.x.shape == facts.y.shape else None
    if weighted is not None:
        return f"{due}; backward multiplies that by y once more."
    return None


def spread_weight(facts: Facts, terms: list[np.ndarray]) -> np.ndarray:
    """scale·gy at each x: with it, terms[0] is softmax(x) and terms[1] −onehot, or −target."""
    gy = spread_gy(facts)
    assert gy is not None
    found = (constant(terms[0] / gy / softmax(facts.x, axes), 1e-6) for axes in subsets(facts.x.ndim))
    return next((scale for scale in found if scale is not None), 1.0) * gy


def wrong_onehot(facts: Facts, terms: list[np.ndarray]) -> str | None:
    """softmax − some other whole numbers."""
    p = facts.gradients(facts.claimed) - terms[0]
    subtracted = -p / spread_weight(facts, terms)
    if not same(np.round(subtracted), subtracted, 1e-6) or not same(
        subtracted, np.broadcast_to(subtracted[0], p.shape), 1e-6
    ):
        return None
    due = np.argwhere(terms[1][0])[0].tolist()
    if not same(np.round(terms[1] / spread_weight(facts, terms)), terms[1] / spread_weight(facts, terms), 1e-6):
        return "The softmax is right, but a one-hot is subtracted, where forward's target is smoothed, or soft."
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
    if same(np.abs(c), np.full(2, np.abs(c[0])), 1e-6) and abs(abs(c[0]) - 1) > 1e-6:
        much = f"all of it is {number(abs(c[0]))} times too large: a constant that forward multiplies by is forgotten"
        signs = [f"the sign of {n} is wrong" for n, v in zip(names, c, strict=True) if v < 0]
        return f"{due} (times a constant), but {'; '.join([much, *signs])} (1/temperature, or 1/N)."
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


def spread_gy(facts: Facts) -> np.ndarray | None:
    """gy of each x, if each x reaches one output."""
    used = facts.true != 0
    if not np.all(used.sum(0) == 1):
        return None
    return facts.gys.reshape(6, -1)[:, used.argmax(0)].reshape(6, *facts.x.shape)
