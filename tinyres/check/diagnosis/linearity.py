"""How backward uses gy. Every right backward is linear in it: gradient(a·gy1 + b·gy2) = a·gradient(gy1) + …"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, fit, number, same, subsets
from tinyres.check.diagnosis.formulas import times

Backward = Callable[[np.ndarray], np.ndarray]  # gy -> the gradient of the input in question


def is_linear(backward: Backward, gys: np.ndarray) -> bool:
    a, b = gys[:2]
    ga, gb = backward(a), backward(b)
    return (
        same(backward(2 * a), 2 * ga, 1e-6)
        and same(backward(-a), -ga, 1e-6)
        and same(backward(a + b), ga + gb, 1e-6)
        and same(backward(a - 3 * b), ga - 3 * gb, 1e-6)
    )


def not_linear(facts: Facts, backward: Backward) -> str:
    """Why backward is not linear in gy; what is merely seen is said as such."""
    gys = facts.gys
    claimed = np.stack([backward(gy) for gy in gys])
    if all(same(g, claimed[0]) for g in claimed):
        ones = facts.true.sum(0).reshape(facts.x.shape)
        start = "backward ignores gy: it answers the same whatever arrives from above"
        if same(claimed[0], ones):
            return f"{start}. Its local derivative is right (gy is treated as ones): multiply it by gy (chain rule)."
        return f"{start}. Multiply the local derivative by gy (chain rule)."
    return (
        used_with(facts, gys, claimed)
        or added_constant(facts, backward, gys, claimed)
        or degree(backward, gys, claimed)
        or "backward is not linear in gy, and every right backward is: gradient(gy1 + gy2) must be gradient(gy1) + "
        "gradient(gy2). gy must not be compared, clipped, squared or normalised there."
    )


def used_with(facts: Facts, gys: np.ndarray, claimed: np.ndarray) -> str | None:
    """The true gradient of some function of gy, or some function of the true gradient."""
    x, y = facts.x, facts.y

    def true(changed: np.ndarray) -> np.ndarray:
        return (changed.reshape(len(gys), -1) @ facts.true).reshape(claimed.shape)

    right = true(gys)
    mask = "a mask is taken from gy (gy > 0)"
    candidates = [
        (true(gys * gys), "gy enters twice: the gradient is the right one for gy·gy. Multiply by gy once only."),
        (true(gys * (gys > 0)), f"{mask}: negative gy are dropped. The mask belongs to x (x > 0), never to gy."),
        (right * (right > 0), f"{mask}: negative gradients are dropped. The mask belongs to x (x > 0), never to gy."),
        (true(np.abs(gys)), "the absolute value of gy is used: its sign is lost."),
        (true(np.sign(gys)), "only the sign of gy is used: its size is lost."),
    ]
    if x.shape == y.shape:
        candidates.append((gys * (gys > 0), f"{mask} where it must be taken from x (x > 0): gy itself is tested."))
        for derivative, what in (((x > 0), "x > 0"), ((y > 0), "y > 0")):
            candidates.append(
                (gys * derivative * (gys > 0), f"{mask} as well as from {what}: leave the first one out.")
            )
    for predicted, mistake in candidates:
        if same(claimed, predicted, 1e-6):
            return f"backward is not linear in gy: {mistake}"
    for order in range(1, gys.ndim):
        axes = tuple(range(order, gys.ndim))
        norm = np.sqrt((gys**2).sum(axes, keepdims=True))
        if same(claimed, true(gys / norm), 1e-6):
            return "backward normalises gy (divides it by its norm): leave that out, the size of gy matters."
    limit = np.max(np.abs(claimed))
    clipped = np.isclose(np.abs(claimed), limit, rtol=1e-9)
    if clipped.sum() > 2 and same(claimed, np.clip(right, -limit, limit), 1e-6):
        return f"backward clips the gradient to ±{number(limit)}: clipping belongs into the optimiser's step, not here."
    return None


def added_constant(facts: Facts, backward: Backward, gys: np.ndarray, claimed: np.ndarray) -> str | None:
    """backward(0) is not 0."""
    rest = backward(np.zeros_like(gys[0]))
    if not np.all(np.isfinite(rest)) or same(claimed - rest, claimed, 1e-9):
        return None
    if not is_linear(lambda gy: backward(gy) - rest, gys):
        return None
    linear = claimed - rest
    due = facts.gradients(facts.true) - linear
    what = f"{described(rest, facts)}, which does not depend on gy"
    start = f"For gy = 0 the gradient must be 0, but backward adds {what}"
    if same(linear + due, linear, 1e-6):
        return f"{start}. Without that it is right."
    for axes in (None, *subsets(gys.ndim - 1)):
        s = gys if axes is None else gys.sum(tuple(a + 1 for a in axes), keepdims=True)
        if s[0].ndim > rest.ndim or np.broadcast_shapes(s[0].shape, rest.shape) != rest.shape:
            continue
        if same(due, s.reshape(6, *(1,) * (rest.ndim - gys[0].ndim), *s.shape[1:]) * rest, 1e-6):
            by = "gy" if axes is None else f"Σ gy (over axis {', '.join(map(str, axes))})"
            return f"{start}: that term must be multiplied by {by}, which is forgotten there."
    return f"{start} (a gy forgotten in one term?)."


def described(rest: np.ndarray, facts: Facts) -> str:
    """What is added, as a multiple of something known."""
    known = {"x": facts.x, **{name: a for name, a in facts.others if a.shape == facts.x.shape}}
    if facts.y.shape == facts.x.shape:
        known |= {"y": facts.y, "exp(y)": np.exp(facts.y)}
    known |= {"the local derivative": facts.true.sum(0).reshape(facts.x.shape), "1": np.ones(facts.x.shape)}
    for name, a in known.items():
        factor = fit(rest, [a]) if np.all(np.isfinite(a)) else None
        if factor is not None:
            return number(factor[0]) if name == "1" else times(float(factor[0]), name)
    return "something"


def degree(backward: Backward, gys: np.ndarray, claimed: np.ndarray) -> str | None:
    """2·gy should double the gradient."""
    doubled = np.stack([backward(2 * gy) for gy in gys])
    used = np.abs(claimed) > 1e-9 * np.max(np.abs(claimed))
    factor = constant(doubled[used] / claimed[used], 1e-6)
    if factor is None or abs(factor - 2) < 1e-6:
        return None
    if abs(factor - 1) < 1e-6:
        return "Doubling gy does not change the gradient: backward uses only gy's sign or direction, not its size."
    return (
        f"Doubling gy makes the gradient {number(factor)} times as large, where it must double: gy enters "
        f"{'squared (twice)' if abs(factor - 4) < 1e-6 else 'not linearly'}. Multiply by gy exactly once."
    )
