"""Where the errors are: at kinks, in some rows or channels only, or in what comes back from some outputs.

The wrong part is cut out and examined by itself. If the mistake is not recognised there, the text describes the errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, Hypothesis, first_of, named, number, same

NAMES = {2: ("row", "column"), 3: ("sample", "row", "column"), 4: ("sample", "channel", "row", "column")}


def differs(facts: Facts) -> np.ndarray:
    """Which entries of the two Jacobians do."""
    return np.abs(facts.claimed - facts.true) > 1e-6 * np.max(np.abs(facts.true), initial=1e-300)


def at_kinks(facts: Facts) -> str | None:
    """Every wrong element lies where the slopes to its left and right differ."""
    wrong, step = np.flatnonzero(differs(facts).any(0)), 1e-6
    for j in wrong:
        here = float(facts.x.flat[j])
        ahead, behind = ((facts.y_with(int(j), here + s) - facts.y) / s for s in (step, -step))
        if same(ahead, behind, 1e-3):
            return None
    place = list(map(int, np.unravel_index(int(wrong[0]), facts.x.shape)))
    return (
        f"The gradient is right except at kinks of forward ({len(wrong)} of {facts.x.size} elements, the first "
        f"x{place} = {facts.x.flat[wrong[0]]:.3g}): there the slopes to the left and right differ, so there is no "
        "derivative to compare with. If a maximum occurs twice (a tie), give gy to one of them only; else check at "
        "other values."
    )


def wrong_part(facts: Facts, hypotheses: Iterable[Hypothesis]) -> str | None:
    """The hypotheses, for the wrong part of x alone, or for the outputs whose contributions are wrong."""
    for name, where, wrong in regions(facts):
        inside, flat = block(wrong), wrong.ravel()
        if inside is None or wrong.sum() < 4 or not where.startswith("in "):
            continue
        if compared(facts, name, flat):
            return None
        used = (facts.true != 0) | differs(facts)
        if name == "x":
            part = cut(facts, inside, block(used[:, flat].any(1).reshape(facts.y.shape)))
        else:
            part = cut(facts, block(used[flat].any(0).reshape(facts.x.shape)), inside)
        if answer := first_of(hypotheses, part):
            kind = "" if name == "x" else "what comes back from the outputs "
            return f"The gradient is right except {kind}{where}. There: {named(answer, part.evidence)}"
    return None


def only_some(facts: Facts) -> str | None:
    """Some elements of x, or the contributions of some outputs, are right and others not."""
    bad = np.asarray(differs(facts).any(1)).reshape(facts.y.shape)
    if not np.any(facts.claimed[bad.ravel()]):
        lost, counted = region(bad, facts.y, "y"), region(~bad, facts.y, "y")
        if lost or counted:
            return (
                f"What comes back from {f'the outputs {lost}' if lost else f'all outputs but those {counted}'} is "
                "lost: gy never arrives from there (it is not summed), and all else is right. Use all of gy, as "
                "gy.sum(axis) and not gy[0]; check the bounds of loops and slices."
            )
    for name, where, wrong in regions(facts):
        what = compared(facts, name, wrong.ravel())
        if not what and (where.startswith("where") or where.count("(axis") > 1):
            continue  # a few random places soon form a rectangle, and any error of a ReLU is one where x > 0
        place = f"{where}: there" if name == "x" else f"for the outputs {where}: for gy there"
        return f"The gradient is right except {place} {what or 'it has other values'}."
    return None


def regions(facts: Facts) -> Iterator[tuple[str, str, np.ndarray]]:
    """("x" or "y", where it is wrong, the same as booleans)"""
    for axis, a, name in ((0, facts.x, "x"), (1, facts.y, "y")):
        wrong = np.asarray(differs(facts).any(axis)).reshape(a.shape)
        is_data = name == "y" or a.ndim < 3 or facts.index == 0  # neither a kernel nor another parameter
        if where := region(wrong, a, name, is_data):
            yield name, where, wrong


def compared(facts: Facts, name: str, chosen: np.ndarray) -> str:
    """The claimed gradient beside the true one, for some x or some y; empty if nothing simple can be said."""
    claimed, true = (m[:, chosen] if name == "x" else m[chosen] for m in (facts.claimed, facts.true))
    if not np.any(claimed):
        return "it is 0 (never written, cut off or masked)"
    if not np.any(true):
        return "it should be 0"
    factor = float(np.vdot(true, claimed) / np.vdot(true, true))
    if not factor or not same(claimed, factor * true, 1e-6):
        return ""
    twice = " (added twice)" if abs(factor - 2) < 1e-6 else ""
    return f"it is {factor:.6g} times the true one{twice}".replace("-", "−")


def unmasked(facts: Facts) -> str | None:
    """All that is due arrives, and something on top."""
    due = facts.true != 0
    extra = differs(facts) & ~due
    if np.any(differs(facts) & due) or not 0 < extra.sum() <= 2 * due.sum() or due.sum() < 8:  # else by chance
        return None
    return (
        f"All contributions that are due arrive, but backward adds {np.sum(extra)} others (from outputs to elements of "
        "x that they do not depend on here). As when a mask is missing on the way: of a ReLU (or what came before it "
        "was saved in place of what came out), a dropout, a clamp, a causal mask."
    )


def factor_of_each(facts: Facts) -> str | None:
    """Each row, column or channel of x (or of y) has a factor of its own."""
    for first, a, name in ((1, facts.x, "x"), (0, facts.y, "y")):
        for along in (k for k, n in enumerate(a.shape) if 2 < n < a.size):
            shape = (-1, *a.shape) if first else (*a.shape, -1)
            tables = (matrix.reshape(shape) for matrix in (facts.claimed, facts.true))
            pairs = list(zip(*(np.moveaxis(table, along + first, 0) for table in tables), strict=True))
            factors = [np.vdot(t, c) / (np.vdot(t, t) or 1.0) for c, t in pairs]
            exact = all(f and same(c, f * t) for f, (c, t) in zip(factors, pairs, strict=True))
            if exact and all("." not in number(f) for f in factors):  # any numbers at all would be too easy
                numbers = ", ".join(map(number, factors[:5])) + (", …" if len(factors) > 5 else "")
                return (
                    f"Along axis {along} of {name}, each index has a wrong factor of its own ({numbers}): something "
                    "that differs from one to the next (a weight, a scale, a std, a count) is missing, or too many."
                )
    return None


# ---- regions in words ------------------------------------------------------------------------------------------------


def region(bad: np.ndarray, a: np.ndarray, name: str, is_data: bool = True) -> str | None:
    """A short description of a set of places, or None: everywhere, nowhere, or without a pattern."""
    if bad.all() or not bad.any() or bad.ndim == 0:
        return None
    if bad.sum() == 1:
        return f"at {name}{list(map(int, np.argwhere(bad)[0]))}"
    for condition, holds in (("> 0", a > 0), ("< 0", a < 0), ("= 0", a == 0)):
        if np.array_equal(bad, holds):
            return f"where {name} {condition}"
    names = NAMES.get(a.ndim, ()) if is_data else ()
    names = names or ("index",) * a.ndim
    inside, outside = box(bad), box(~bad)
    if inside is not None:
        return "in " + " of ".join(listed(names[axis], c, axis) for axis, c in reversed(inside)) + f" of {name}"
    if outside is not None and all(at_an_end(~c) for _, c in outside):
        return "in " + " and in ".join(listed(names[axis], ~c, axis) for axis, c in outside) + f" of {name}"
    return None


def block(places: np.ndarray) -> list[np.ndarray] | None:
    """For each axis which of its indices, if the places are all combinations of these."""
    axes = range(places.ndim)
    chosen = [np.asarray(places.any(tuple(k for k in axes if k != axis))) for axis in axes]
    return chosen if places.any() and places.sum() == np.prod([c.sum() for c in chosen]) else None


def box(places: np.ndarray) -> list[tuple[int, np.ndarray]] | None:
    """[(axis, which of its indices)] of a block: only of the axes along which it ends."""
    chosen = block(places)
    return None if chosen is None else [(axis, c) for axis, c in enumerate(chosen) if not c.all()]


def at_an_end(chosen: np.ndarray) -> bool:
    """Some of the first and the last indices, and fewer than the rest."""
    middle = np.flatnonzero(~chosen)
    return chosen.sum() < len(middle) and bool(np.all(np.diff(middle) == 1))


def listed(name: str, chosen: np.ndarray, axis: int) -> str:
    """the last row (axis 2)"""
    places, n, end = np.flatnonzero(chosen), len(chosen), f" (axis {axis})"
    edge = {0: "the first", n - 1: "the last"}
    if len(places) == 1:
        k = int(places[0])
        return f"{edge[k]} {name}{end}" if k in edge else f"{name} {k}{end}"
    if len(places) == n - 1:
        gap = int(np.flatnonzero(~chosen)[0])
        return f"every {name} but {edge.get(gap, gap)}{end}"
    steps, ordinals = np.unique(np.diff(places)), {2: "second", 3: "third", 4: "fourth"}
    if len(steps) == 1 and steps[0] in ordinals and places[-1] + steps[0] >= n:
        return f"every {ordinals[steps[0]]} {name}{f' from {places[0]} on' if places[0] else ''}{end}"
    spelled = f"{places[0]} to {places[-1]}" if len(places) > 2 and steps[-1] == 1 else ", ".join(map(str, places))
    return f"{'indices' if name == 'index' else f'{name}s'} {spelled}{end}"


# ---- a part by itself ------------------------------------------------------------------------------------------------


def cut(facts: Facts, of_x: list[np.ndarray] | None, of_y: list[np.ndarray] | None) -> Facts:
    """The facts of a block of x and a block of y. Blocks of x beside it, of the same shape, become inputs as well."""
    index, whole, count = facts.index, facts.x, len(facts.inputs)
    x_at, y_at = (
        np.ix_(*chosen) if chosen else np.ix_(*map(np.arange, a.shape))
        for chosen, a in ((of_x, whole), (of_y, facts.y))
    )

    def forward(*inputs: np.ndarray) -> np.ndarray:
        x = whole.copy()
        x[x_at] = inputs[index]
        return np.asarray(facts.forward(*inputs[:index], x, *inputs[index + 1 : count]))[y_at]

    beside = blocks_beside(whole, of_x or [])
    inputs = (*facts.inputs[:index], whole[x_at], *facts.inputs[index + 1 :], *beside.values())
    names = (*("x" if j == index else f"input {j}" for j in range(count)), *beside)
    part = Facts(facts.evidence._replace(forward=forward, inputs=inputs, names=names))
    rows, columns = (np.arange(a.size).reshape(a.shape)[at].ravel() for a, at in ((facts.y, y_at), (whole, x_at)))
    part.true, part.claimed = (m[np.ix_(rows, columns)] for m in (facts.true, facts.claimed))
    return part


def blocks_beside(x: np.ndarray, of_x: list[np.ndarray]) -> dict[str, np.ndarray]:
    """x is several arrays side by side (a cell's gates): the others, by what would cut them out of x."""
    cut_axes = [axis for axis, chosen in enumerate(of_x) if not chosen.all()]
    if len(cut_axes) != 1:
        return {}
    axis = cut_axes[0]
    places, n = np.flatnonzero(of_x[axis]), x.shape[axis]
    length = len(places)
    if n % length or places[0] % length or np.any(np.diff(places) != 1):
        return {}
    starts = (k for k in range(0, n, length) if k != places[0])
    return {f"x[{':, ' * axis}{k}:{k + length}]": x.take(range(k, k + length), axis) for k in starts}
