"""The learner's numbers beside the right ones: is there a simple rule in the difference, and where is the first one?"""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.changes import places
from tinyres.check.diagnosis.evidence import constant, joined, number
from tinyres.check.diagnosis.shapes import misshapen
from tinyres.check.diagnosis.where import box, listed

TOLERANCE = 1e-9  # relative to the largest element


def agree(mine: np.ndarray, right: np.ndarray, tolerance: float = TOLERANCE) -> bool:
    """The same shape, and the same values up to rounding. NaN is NaN here: wrong answers are compared, too."""
    return mine.shape == right.shape and not np.any(wrong_places(mine, right, tolerance))


def wrong_places(mine: np.ndarray, right: np.ndarray, tolerance: float) -> np.ndarray:
    """Where they differ: booleans."""
    with np.errstate(all="ignore"):
        scale = np.max(np.abs(right), initial=0.0, where=np.isfinite(right))
        same = (np.abs(mine - right) <= tolerance * max(scale, 1e-300)) | (mine == right)
        return ~(same | ((mine != mine) & (right != right)))


def difference(what: str, mine: np.ndarray, right: np.ndarray, tolerance: float = TOLERANCE) -> str:
    """One or two lines on how `mine`, called `what`, is not `right`."""
    rule = simple_rule(mine, right)
    if mine.shape != right.shape:
        text = f"{what} has shape {mine.shape}, expected {right.shape}"
        return f"{text}: {rule}" if rule else text
    wrong = wrong_places(mine, right, tolerance)
    first = tuple(int(n) for n in np.argwhere(wrong)[0])
    at = f"{what}[{', '.join(map(str, first))}]" if first else what
    text = f"{at} is {mine[first] + 0.0:.6g}, expected {right[first] + 0.0:.6g}"
    if right.size > 1:
        text += f"; {int(wrong.sum())} of {right.size} elements differ"
    return f"{text}\n{rule}" if rule else text


CUT = "These are whole numbers: the array was made for such (dtype=int), and every fraction was cut off."


def cut_to_whole(mine: np.ndarray, right: np.ndarray) -> bool:
    """Whether fractions were written into an array of integers."""
    return mine.dtype.kind in "iu" and mine.shape == right.shape and agree(mine, np.trunc(right))


def clue(mine: np.ndarray, right: np.ndarray, tolerance: float = TOLERANCE) -> str | None:
    """Where no rule makes all of it right: what is right in it."""
    if mine.shape != right.shape or simple_rule(mine, right):
        return None
    if cut_to_whole(mine, right):
        return CUT
    wrong = wrong_places(mine, right, tolerance)
    if wrong.all():
        same_along = [axis for axis in range(right.ndim) if flat_along(mine, axis) and not flat_along(right, axis)]
        return f"Yours is the same all along axis {joined(same_along)}; it should not be." if same_along else None
    for chosen, word in ((wrong, "Wrong"), (~wrong, "Right")):
        if found := box(chosen):
            return f"{word} only in {' of '.join(listed('index', which, axis) for axis, which in reversed(found))}."
    return None


def flat_along(a: np.ndarray, axis: int) -> bool:
    return a.shape[axis] > 1 and agree(a, np.broadcast_to(a.take([0], axis), a.shape))


def simple_rule(mine: np.ndarray, right: np.ndarray) -> str | None:
    """What would make all of it right: a transpose, a factor, a sign, a shift."""
    if mine.shape != right.shape:
        return misshapen(mine, right)
    if not np.all(np.isfinite(mine)):
        kind = "NaN" if np.isnan(mine).any() else "infinite"
        return f"Some are {kind}: a division by zero, an overflow in exp, or np.empty that was never filled."
    if right.size < 2 or not np.any(mine):
        return "All of it is 0." if not np.any(mine) and right.size > 1 else None
    if agree(-mine, right):
        return "The sign is wrong in all of it."
    with np.errstate(all="ignore"):
        factor = constant((mine / right)[right != 0])
        shift = constant(mine - right)
    if factor is not None and np.all(mine[right == 0] == 0):
        return f"All of it is {number(factor)} times what it should be."
    if shift is not None:
        return f"All of it is too large by {number(shift)}." if shift > 0 else f"All is too small by {number(-shift)}."
    moved = (words for change, words in places(right.shape) if agree(change(right), mine))
    return next((f"It is the right answer, {words}." for words in moved), None)
