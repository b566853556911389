"""The learner's numbers beside the right ones: is there a simple rule in the difference, and where is the first one?"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from tinyres.check.diagnosis.evidence import constant, number
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
    for places, word in ((wrong, "Wrong"), (~wrong, "Right")):
        if found := box(places):
            return f"{word} only in {' of '.join(listed('index', chosen, axis) for axis, chosen in reversed(found))}."
    return None


def missing_part(mine: np.ndarray, right: np.ndarray) -> str | None:
    """Of another length along one axis: is what is there right?"""
    if mine.ndim == 0 and right.ndim:
        return "one number, where an array is due."
    if right.ndim == 0 and mine.ndim:
        return "several numbers, where one is due."
    if mine.ndim != right.ndim or not mine.size:
        return None
    for part, whole, words in ((mine, right, "it is right, but ends too early"), (right, mine, "it is too long")):
        inside = all(n <= m for n, m in zip(part.shape, whole.shape, strict=True))
        if inside and agree(whole[tuple(slice(n) for n in part.shape)], part):
            longer = [axis for axis in range(right.ndim) if mine.shape[axis] != right.shape[axis]]
            return f"{words}, along axis {joined(longer)}."
    differing = [axis for axis in range(right.ndim) if mine.shape[axis] != right.shape[axis]]
    if len(differing) != 1:
        return None
    (axis,) = differing
    own, due = ([part for part in np.moveaxis(a, axis, 0)] for a in (mine, right))
    if len(own) < len(due):
        lost = [k for k, part in enumerate(due) if not any(agree(other, part) for other in own)]
        if len(lost) == len(due) - len(own) and all(any(agree(part, other) for other in due) for part in own):
            return (
                f"what is there is right, but {len(lost)} of the {len(due)} along axis {axis} are missing: {few(lost)}."
            )
    elif all(any(agree(other, part) for other in own) for part in due):
        return f"the right values are in it, but axis {axis} is too long by {len(own) - len(due)}."
    return None


def flat_along(a: np.ndarray, axis: int) -> bool:
    return a.shape[axis] > 1 and agree(a, np.broadcast_to(a.take([0], axis), a.shape))


def few(numbers: list[int]) -> str:
    return joined(numbers) if len(numbers) < 6 else ", ".join(map(str, numbers[:4])) + ", …"


def joined(numbers: list[int]) -> str:
    texts = [str(n) for n in numbers]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def simple_rule(mine: np.ndarray, right: np.ndarray) -> str | None:
    """What would make all of it right: a transpose, a factor, a sign, a shift."""
    if mine.shape != right.shape:
        if mine.size == right.size:
            for order in permutations(range(mine.ndim)):
                if agree(mine.transpose(order), right):
                    return f"its axes must be put in the order {order}; it is transposed."
            if agree(mine.reshape(right.shape), right):
                return "the values are right, only the shape is not (an axis of length 1, or a reshape)."
        return missing_part(mine, right)
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
    for axis in range(right.ndim):
        if right.shape[axis] > 1 and agree(np.flip(mine, axis), right):
            return f"It is the right answer in reverse order along axis {axis}."
    return None
