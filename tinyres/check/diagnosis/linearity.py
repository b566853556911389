"""How backward uses gy. Every right backward is linear in it: gradient(a·gy1 + b·gy2) = a·gradient(gy1) + …"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, joined, same, subsets
from tinyres.check.diagnosis.formulas import spelled

Backward = Callable[[np.ndarray], np.ndarray]  # gy -> the gradient of the input in question


def is_linear(backward: Backward, gys: np.ndarray) -> bool:
    a, b = gys[:2]
    ga, gb = backward(a), backward(b)
    tries = ((2 * a, 2 * ga), (-a, -ga), (a + b, ga + gb), (a - 3 * b, ga - 3 * gb))
    return all(same(backward(gy), gradient, 1e-6) for gy, gradient in tries)


def not_linear(facts: Facts, backward: Backward) -> str:
    """Why backward is not linear in gy; or at least how that shows."""
    claimed = np.stack([backward(gy) for gy in facts.gys])
    if all(same(g, claimed[0]) for g in claimed):
        right = same(claimed[0], facts.true.sum(0).reshape(facts.x.shape))
        treated = " Its local derivative is right (gy is treated as ones): multiply it by gy" if right else ""
        return (
            f"backward ignores gy: it answers the same whatever arrives from above."
            f"{treated or ' Multiply the local derivative by gy'} (chain rule)."
        )
    return (
        used_with(facts, claimed)
        or added_constant(facts, backward, claimed)
        or "backward is not linear in gy, and every right backward is: gradient(gy1 + gy2) must be gradient(gy1) + "
        "gradient(gy2). gy must not be compared, clipped, squared or normalised there."
    )


def used_with(facts: Facts, claimed: np.ndarray) -> str | None:
    """The true gradient of some function of gy, or some function of the true gradient."""
    x, y, gys = facts.x, facts.y, facts.gys

    def true(changed: np.ndarray) -> np.ndarray:
        return (changed.reshape(len(gys), -1) @ facts.true).reshape(claimed.shape)

    right, mask = true(gys), "a mask is taken from gy (gy > 0)"
    belongs = "The mask belongs to x (x > 0), never to gy."
    candidates = [
        (true(gys * gys), "gy enters twice: the gradient is the right one for gy·gy. Multiply by gy once only."),
        (true(gys * (gys > 0)), f"{mask}: negative gy are dropped. {belongs}"),
        (right * (right > 0), f"{mask}: negative gradients are dropped. {belongs}"),
        (true(np.abs(gys)), "the absolute value of gy is used: its sign is lost."),
        (true(np.sign(gys)), "only the sign of gy is used: its size is lost."),
    ]
    if x.shape == y.shape:
        candidates.append((gys * (gys > 0), f"{mask} where it must be taken from x (x > 0): gy itself is tested."))
        for derivative, what in (((x > 0), "x > 0"), ((y > 0), "y > 0")):
            both = f"{mask} as well as from {what}: leave the first one out."
            candidates.append((gys * derivative * (gys > 0), both))
    for order in range(1, gys.ndim):
        norm = np.sqrt((gys**2).sum(tuple(range(order, gys.ndim)), keepdims=True))
        candidates.append(
            (true(gys / norm), "it normalises gy (divides it by its norm): leave that out, its size matters.")
        )
    found = (mistake for predicted, mistake in candidates if same(claimed, predicted, 1e-6))
    return next((f"backward is not linear in gy: {mistake}" for mistake in found), None)


def added_constant(facts: Facts, backward: Backward, claimed: np.ndarray) -> str | None:
    """backward(0) is not 0."""
    gys, rest = facts.gys, backward(np.zeros_like(facts.gys[0]))
    if not np.all(np.isfinite(rest)) or same(claimed - rest, claimed, 1e-9):
        return None
    if not is_linear(lambda gy: backward(gy) - rest, gys):
        return None
    linear = claimed - rest
    due = facts.gradients(facts.true) - linear
    known = {n: a.ravel() for n, a in (("x", facts.x), *facts.others, ("y", facts.y)) if a.shape == rest.shape}
    added = spelled(rest.ravel(), known) or "something"
    start = f"For gy = 0 the gradient must be 0, but backward adds {added}, which does not depend on gy"
    if same(linear + due, linear, 1e-6):
        return f"{start}. Without that it is right."
    for axes in ((), *subsets(gys.ndim - 1)):
        s = gys.sum(tuple(a + 1 for a in axes), keepdims=True)
        if s[0].ndim > rest.ndim or np.broadcast_shapes(s[0].shape, rest.shape) != rest.shape:
            continue
        if same(due, s.reshape(6, *(1,) * (rest.ndim - gys[0].ndim), *s.shape[1:]) * rest, 1e-6):
            by = f"Σ gy (over axis {joined(axes)})" if axes else "gy"
            return f"{start}: that term must be multiplied by {by}, which is forgotten there."
    return f"{start} (a gy forgotten in one term?)."
