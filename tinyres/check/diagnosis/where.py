"""Where the errors are, if the mistake itself is not recognised: observed, not concluded."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, number, same

NAMES = {2: ("row", "column"), 3: ("sample", "row", "column"), 4: ("sample", "channel", "row", "column")}


OTHER = "it has other values"


def only_some(facts: Facts) -> str | None:
    """Some elements of x, or the contributions of some outputs, are right and others not."""
    return lost_outputs(facts) or some_inputs(facts) or some_outputs(facts)


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
        f"The gradient is right except at kinks of forward ({len(wrong)} of {facts.x.size} elements, the "
        f"first x{place} = "
        f"{facts.x.flat[wrong[0]]:.3g}): there the slopes to the left and right differ, so there is no "
        "derivative to compare "
        "with. If a maximum occurs twice (a tie), give gy to one of them only; else check at other values."
    )


def some_inputs(facts: Facts) -> str | None:
    bad = np.asarray(differs(facts).any(0)).reshape(facts.x.shape)
    where = region(bad, facts.x, "x", is_data(facts.x, facts))
    if where is None:
        return None
    claimed, true = (m[:, bad.ravel()] for m in (facts.claimed, facts.true))
    what = compared(claimed, true)
    if vague(where, what):
        return None
    return f"The gradient is right except {where}: there {what}.{border(bad)}"


def lost_outputs(facts: Facts) -> str | None:
    """The gradient is that of some outputs alone."""
    bad = np.asarray(differs(facts).any(1)).reshape(facts.y.shape)
    if bad.all() or np.any(facts.claimed[bad.ravel()]):
        return None
    lost, counted = region(bad, facts.y, "y"), region(~bad, facts.y, "y")
    if lost is None and counted is None:
        return None
    what = f"the outputs {lost}" if lost else f"all outputs but those {counted}"
    return (
        f"What comes back from {what} is lost: gy never arrives from there (it is not summed), and all else is right. "
        "Use all of gy, as gy.sum(axis) and not gy[0]; check the bounds of loops and slices."
    )


def some_outputs(facts: Facts) -> str | None:
    bad = np.asarray(differs(facts).any(1)).reshape(facts.y.shape)
    where = region(bad, facts.y, "y")
    if where is None:
        return None
    claimed, true = (m[bad.ravel()] for m in (facts.claimed, facts.true))
    what = compared(claimed, true)
    if vague(where, what):
        return None
    hint = " As when the mask of a ReLU or of a dropout is missing." if not np.any(true) else ""
    return f"The gradient is right for all outputs except {where}: for gy there {what}.{hint}"


def unmasked(facts: Facts) -> str | None:
    """All that is due arrives, and something on top."""
    due = facts.true != 0
    extra = differs(facts) & ~due
    if np.any(differs(facts) & due) or not 0 < extra.sum() <= 2 * due.sum() or due.sum() < 8:  # else by chance
        return None
    return (
        f"All contributions that are due arrive, but backward adds {np.sum(extra)} others (from outputs to elements of "
        "x that they do not depend on here). As when a mask is missing on the way: of a ReLU (or what stood before it "
        "was saved in place of what came out), a dropout, a clamp, a causal mask."
    )


def factor_of_each(facts: Facts) -> str | None:
    """Each row, column or channel of x (or of y) has a factor of its own."""
    for axis, a, name in ((1, facts.x, "x"), (0, facts.y, "y")):
        for along in range(a.ndim):
            if not 2 < a.shape[along] < a.size:
                continue
            claimed, true = (slices(m, axis, a.shape, along) for m in (facts.claimed, facts.true))
            factors = [np.vdot(t, c) / (np.vdot(t, t) or 1.0) for c, t in zip(claimed, true, strict=True)]
            exact = all(f and same(c, f * t) for f, c, t in zip(factors, claimed, true, strict=True))
            if exact and all("." not in number(f) for f in factors):  # any numbers at all would be too easy
                numbers = ", ".join(number(f) for f in factors[:5]) + (", …" if len(factors) > 5 else "")
                return (
                    f"Along axis {along} of {name}, each index has a wrong factor of its own ({numbers}): something "
                    "that differs from one to the next (a weight, a scale, a std, a count) is missing, or too many."
                )
    return None


def slices(matrix: np.ndarray, axis: int, shape: tuple[int, ...], along: int) -> np.ndarray:
    """The matrix for each index along an axis of x (axis = 1) or of y (axis = 0)."""
    table = matrix.reshape(-1, *shape) if axis == 1 else matrix.reshape(*shape, -1)
    return np.moveaxis(table, along + axis, 0)


def vague(where: str, what: str) -> bool:
    """Any error in what a ReLU lets through is an error where x > 0, and a few random places soon form a rectangle."""
    return what == OTHER and (where.startswith("where") or where.count("(axis") > 1)


def compared(claimed: np.ndarray, true: np.ndarray) -> str:
    if not np.any(claimed):
        return "it is 0 (never written, cut off or masked)"
    if not np.any(true):
        return "it should be 0"
    energy = np.vdot(true, true)
    factor = float(np.vdot(true, claimed) / energy)
    if factor and same(claimed, factor * true, 1e-6):
        if abs(factor - 2) < 1e-6:
            return "it is twice the true one (added twice)"
        return f"it is {factor:.6g} times the true one".replace("-", "−")
    return OTHER


def region(bad: np.ndarray, a: np.ndarray, name: str, named: bool = True) -> str | None:
    """A short description of a set of places, or None: everywhere, nowhere, or without a pattern.

    named: whether the axes are those of data (samples, channels, rows, columns), not of a kernel.
    """
    if bad.all() or not bad.any() or bad.ndim == 0:
        return None
    if bad.sum() == 1:
        return f"at {name}{list(map(int, np.argwhere(bad)[0]))}"
    for condition, holds in ((f"{name} > 0", a > 0), (f"{name} < 0", a < 0), (f"{name} = 0", a == 0)):
        if np.array_equal(bad, holds):
            return f"where {condition}"
    names = NAMES.get(a.ndim, ()) if named else ()
    names = names or ("index",) * a.ndim
    inside, outside = box(bad), box(~bad)
    if inside is not None:
        return "in " + " of ".join(listed(names[axis], c, axis) for axis, c in reversed(inside)) + f" of {name}"
    if outside is not None and all(at_an_end(~c) for _, c in outside):
        return "in " + " and in ".join(listed(names[axis], ~c, axis) for axis, c in outside) + f" of {name}"
    return None


def is_data(a: np.ndarray, facts: Facts) -> bool:
    """Not the kernel of a convolution, nor another parameter of four axes."""
    return a.ndim < 3 or facts.index == 0


def box(places: np.ndarray) -> list[tuple[int, np.ndarray]] | None:
    """[(axis, which of its indices)], if the places are all combinations of some indices along each axis."""
    axes = range(places.ndim)
    chosen = [np.asarray(places.any(tuple(k for k in axes if k != axis))) for axis in axes]
    full = np.ones_like(places)
    for axis, c in enumerate(chosen):
        full &= c.reshape([-1 if k == axis else 1 for k in range(places.ndim)])
    return [(axis, c) for axis, c in enumerate(chosen) if not c.all()] if np.array_equal(full, places) else None


def at_an_end(chosen: np.ndarray) -> bool:
    """Some of the first and the last indices, and fewer than the rest."""
    middle = np.flatnonzero(~chosen)
    return chosen.sum() < len(middle) and bool(np.all(np.diff(middle) == 1))


def listed(name: str, chosen: np.ndarray, axis: int) -> str:
    """the last row (axis 2)"""
    places, n = np.flatnonzero(chosen), len(chosen)
    axis_, several = f" (axis {axis})", "indices" if name == "index" else f"{name}s"
    if len(places) == 1:
        word = {0: "the first", n - 1: "the last"}.get(int(places[0]))
        return f"{word} {name}{axis_}" if word else f"{name} {places[0]}{axis_}"
    if len(places) == n - 1:
        gap = int(np.flatnonzero(~chosen)[0])
        word = {0: "the first", n - 1: "the last"}.get(gap)
        return f"every {name} but {word or gap}{axis_}"
    steps = set(np.diff(places).tolist())
    ordinals = {2: "second", 3: "third", 4: "fourth"}
    if steps <= set(ordinals) and len(steps) == 1 and places[-1] + min(steps) >= n:
        start = "" if places[0] == 0 else f" from {places[0]} on"
        return f"every {ordinals[min(steps)]} {name}{start}{axis_}"
    spelled = f"{places[0]} to {places[-1]}" if steps == {1} and len(places) > 2 else ", ".join(map(str, places))
    return f"{several} {spelled}{axis_}"


def border(bad: np.ndarray) -> str:
    """A hint, if it is the border of an image that is wrong."""
    if bad.ndim < 3:
        return ""
    inside = np.zeros_like(bad)
    inside[(..., slice(1, -1), slice(1, -1))] = True
    if np.any(bad & inside) or not np.any(bad):
        return ""
    return " As when a stride's border is dropped, or a padding is cropped wrongly: check the last rows and columns."
