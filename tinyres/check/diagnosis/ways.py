"""The ways from y back to x: one lost or counted twice, one written over another, gy mixed on the way."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, same, subsets
from tinyres.check.diagnosis.formulas import spelled


def paths(facts: Facts) -> str | None:
    """y = x + f(x): one of the two ways is lost."""
    if facts.x.shape != facts.y.shape:
        return None
    skip = np.eye(facts.x.size)
    if same(facts.claimed, facts.true - skip):
        return (
            "The gradient is too small by exactly gy: the path of x itself (the skip connection of a residual) is not "
            "accumulated. Add gy to what comes back through the branch."
        )
    if same(facts.claimed, facts.true + skip):
        return (
            "The gradient is too large by exactly gy: gy is added once too often, as for a skip connection "
            "counted twice."
        )
    rest = facts.true - facts.claimed
    if not np.any(np.abs(rest[skip == 0]) > 1e-7 * np.max(np.abs(facts.true))) and np.any(facts.true[skip == 0]):
        lost = np.diag(rest)
        amount = gate(lost, facts)
        if amount:
            return (
                f"The gradient is too small by exactly gy·{amount}: the direct way of x (the skip connection, which "
                f"passes {amount} too) is not accumulated. Add that to what comes back through the branch."
            )
        if amount := gate(-lost, facts):
            return f"The gradient is too large by exactly gy·{amount}: the direct way of x is counted twice."
    if same(facts.claimed, skip):
        return (
            "gy is passed on unchanged, as if y were x: what forward does is left out. For a residual x + f(x), only "
            "the path of x is counted, and what comes back through the branch f is not accumulated."
        )
    return None


def gate(values: np.ndarray, facts: Facts) -> str | None:
    """What gy is multiplied by on the direct way: a mask, or a formula."""
    for name, a in (("(y > 0)", facts.y), ("(x > 0)", facts.x)):
        if values.any() and not values.all() and same(values, (a.ravel() > 0) * 1.0, 1e-6):
            return name
    others = {n: a.ravel() for n, a in facts.others if a.shape == facts.x.shape}
    return spelled(values, {"x": facts.x.ravel(), **others, "y": facts.y.ravel()}) if np.any(values) else None


def multiplied(facts: Facts) -> str | None:
    """All is right, but multiplied, or divided, by an input or by y once more, element by element."""
    for axis, shape, what in (
        (1, facts.x.shape, "the finished gradient is {} by {} once more"),
        (0, facts.y.shape, "gy is {} by {} first"),
    ):
        for name, a in (("x", facts.x), *facts.others, ("y", facts.y)):
            if a.shape != shape or a.size < 2:
                continue
            factors = a.ravel() if axis == 1 else a.ravel()[:, None]
            with np.errstate(all="ignore"):
                for matrix, verb in ((facts.true * factors, "multiplied"), (facts.true / factors, "divided")):
                    if np.all(np.isfinite(matrix)) and same(facts.claimed, matrix):
                        return f"{what.format(verb, name)}, element by element. Without that it is right."
    return None


def mixed(facts: Facts) -> str | None:
    """gy, or the finished gradient, is summed or averaged over an axis and spread again."""
    for axis, shape, what in (
        (0, facts.y.shape, "gy is {} over axis {} first"),
        (1, facts.x.shape, "The gradient is {} over axis {} of x at the end"),
    ):
        for axes in subsets(len(shape)):
            table = facts.true.reshape(*shape, -1) if axis == 0 else facts.true.reshape(-1, *shape)
            over = tuple(a + axis for a in axes)
            for reduced, verb in (
                (table.mean(over, keepdims=True), "averaged"),
                (table.sum(over, keepdims=True), "summed"),
            ):
                matrix = np.broadcast_to(reduced, table.shape).reshape(facts.true.shape)
                if same(facts.claimed, matrix) and not same(matrix, facts.true):
                    done = what.format(verb, ", ".join(map(str, axes)))
                    return (
                        f"{done}, and every element gets the same: leave out that "
                        f"{'mean' if verb == 'averaged' else 'sum'}."
                    )
    return None


def paths_of_several(facts: Facts) -> str | None:
    """y is of degree k in x, so that Σ x·dy/dx = k·y; with m for k, only m of the ways from x to y are there."""
    y, x = facts.y.ravel(), facts.x.ravel()
    if len(y) < 3 or np.any(y == 0):
        return None
    degree, counted = (constant(m @ x / y, 1e-6) for m in (facts.true, facts.claimed))
    if degree is None or counted is None or abs(degree - round(degree)) > 1e-6 or abs(counted - round(counted)) > 1e-6:
        return None
    if not 0 < round(counted) < round(degree):
        return None
    return (
        f"Forward multiplies x by itself (y is of degree {degree:.0f} in x), so that x reaches y along "
        f"{degree:.0f} ways, but only {counted:.0f} of them counted: by the product rule, a term is missing."
    )


def divisor_constant(facts: Facts) -> str | None:
    """y = x·s(x), with s a norm, a sum, a mean over x: s is treated as a constant."""
    if facts.x.shape != facts.y.shape or np.any(facts.x == 0):
        return None
    if not same(facts.claimed, np.diag((facts.y / facts.x).ravel())):
        return None
    return (
        "Only the direct way is counted: the gradient is gy·y/x, as if what x is multiplied or divided by (a "
        "norm, a sum, "
        "a gate) were a constant. It depends on x too: its term is missing."
    )


def length_constant(facts: Facts) -> str | None:
    """y depends on x/|x| alone, linearly (a cosine, a weight norm), and |x| is treated as a constant."""
    x, y = facts.x, facts.y.reshape(-1, 1)
    for axes in subsets(x.ndim):
        along = (x / (x**2).sum(axes, keepdims=True)).ravel()
        if same(facts.claimed - facts.true, y * along * (facts.claimed != 0)):
            return (
                f"The length |x| (over axis {', '.join(map(str, axes))}), by which forward divides, is treated as a "
                "constant, but it depends on x: the term −gy·y·x/|x|² is missing."
            )
    return None


def transposed_map(facts: Facts) -> str | None:
    """The Jacobian itself in place of its transpose."""
    if facts.true.shape[0] != facts.true.shape[1] or not same(facts.claimed, facts.true.T) or facts.true.size == 1:
        return None
    return (
        "Backward applies forward's own linear map to gy, where its transpose is due: a matrix stands there without "
        ".T, or a sum runs in the wrong direction (a cumulative sum forwards, for instance)."
    )


def overwritten(facts: Facts) -> str | None:
    """Where several outputs read one x, only the last of them counts: gx[...] = gy in place of +=.

    A backward may loop over some axes of y and treat the others at once; so every choice of looped axes is tried.
    """
    true, claimed = facts.true, facts.claimed
    used = true != 0
    if not np.any(used.sum(0) > 1):
        return None
    indices = np.indices(facts.y.shape).reshape(facts.y.ndim, -1)
    for looped in sorted(subsets(facts.y.ndim), key=len, reverse=True):
        lengths = [facts.y.shape[a] for a in looped]
        step = np.ravel_multi_index(tuple(indices[a] for a in looped), lengths)[:, None]  # when in the loop
        last = np.where(used, step, -1).max(0)
        kept = np.where(step == last, true, 0)
        if same(claimed, kept) and not same(kept, true):
            alternative = one_slice(facts, step, looped)
            return (
                "Where several outputs read the same element of x, only the last of them counts: the gradient is "
                "assigned (overwritten) instead of added. Accumulate with += (np.add.at for index arrays); overlapping "
                f"windows, repeated indices and broadcasts must be summed.{alternative}"
            )
    return None


def one_slice(facts: Facts, step: np.ndarray, looped: tuple[int, ...]) -> str:
    """Only the very last step of the loop arrives: a slice gy[-1] looks the same."""
    arrives = np.asarray(facts.claimed.any(1)).reshape(facts.y.shape)
    axes = [a for a in looped if np.array_equal(arrives, last_along(a, arrives))]
    if not axes and np.array_equal(arrives.ravel(), step[:, 0] == step.max()):
        axes = list(looped)
    if not axes:
        return ""
    return f" (Taking only the last of gy along axis {', '.join(map(str, axes))}, gy[-1], would look the same.)"


def last_along(axis: int, places: np.ndarray) -> np.ndarray:
    return np.indices(places.shape)[axis] == places.shape[axis] - 1


def elementwise(facts: Facts) -> str | None:
    """backward treats every element by itself, where forward does not."""
    diagonal = np.eye(facts.x.size, dtype=bool)
    if facts.x.shape != facts.y.shape or np.any(facts.claimed[~diagonal]) or not np.any(facts.true[~diagonal]):
        return None
    return (
        "backward treats each element by itself: gx depends on the gy of the same place alone. But in forward each "
        "output depends on several x (by a sum, a mean, a product): the terms through the others are missing."
    )
