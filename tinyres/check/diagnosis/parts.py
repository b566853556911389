"""The gradient is wrong in some rows, columns or channels only: cut them out, and ask again what is wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tinyres.check.diagnosis.evidence import Facts
from tinyres.check.diagnosis.naming import named
from tinyres.check.diagnosis.where import OTHER, box, compared, differs, is_data, region

Hypothesis = Callable[[Facts], str | None]
Selection = tuple[np.ndarray, ...]  # for each axis, which of its indices


def wrong_part(facts: Facts, hypotheses: Iterable[Hypothesis]) -> str | None:
    """The hypotheses, for the wrong part of x alone, or for the outputs whose contributions are wrong."""
    bad = differs(facts)
    of_x = np.asarray(bad.any(0)).reshape(facts.x.shape)
    of_y = np.asarray(bad.any(1)).reshape(facts.y.shape)
    for wrong, a, name in ((of_x, facts.x, "x"), (of_y, facts.y, "y")):
        where, inside = region(wrong, a, name, name == "y" or is_data(a, facts)), selection(wrong)
        if where is None or inside is None or wrong.sum() < 4 or not where.startswith("in "):
            continue
        flat = wrong.ravel()
        claimed, true = (m[:, flat] if name == "x" else m[flat] for m in (facts.claimed, facts.true))
        if compared(claimed, true) != OTHER:
            return None
        used = (facts.true != 0) | bad
        if name == "x":
            across = selection(np.asarray(used[:, flat].any(1)).reshape(facts.y.shape))
            part = cut(facts, inside, across)
        else:
            across = selection(np.asarray(used[flat].any(0)).reshape(facts.x.shape))
            part = cut(facts, across, inside)
        answer = next(filter(None, (hypothesis(part) for hypothesis in hypotheses)), None)
        if answer:
            kind = "" if name == "x" else "what comes back from the outputs "
            return f"The gradient is right except {kind}{where}. There: {named(answer, part.evidence)}"
    return None


def selection(places: np.ndarray) -> Selection | None:
    """For each axis the indices of which the places are all combinations; None if they are no such block."""
    if not places.any() or box(places) is None:
        return None
    axes = range(places.ndim)
    return tuple(np.flatnonzero(places.any(tuple(k for k in axes if k != axis))) for axis in axes)


def everything(a: np.ndarray) -> Selection:
    return tuple(np.arange(n) for n in a.shape)


def cut(facts: Facts, of_x: Selection | None, of_y: Selection | None) -> Facts:
    """The facts of a part of x and a part of y. Blocks of x beside it, of the same shape, become inputs as well."""
    index, whole = facts.index, facts.x
    x_at, y_at = np.ix_(*(of_x or everything(whole))), np.ix_(*(of_y or everything(facts.y)))

    def forward(*inputs: np.ndarray) -> np.ndarray:
        x = whole.copy()
        x[x_at] = inputs[index]
        return np.asarray(facts.forward(*(x if j == index else a for j, a in enumerate(inputs[: len(facts.inputs)]))))[
            y_at
        ]

    beside = blocks_beside(whole, of_x or everything(whole))
    inputs = tuple(whole[x_at] if j == index else a for j, a in enumerate(facts.inputs))
    names = tuple("x" if j == index else f"input {j}" for j in range(len(inputs)))
    part = Facts(
        facts.evidence._replace(
            forward=forward,
            inputs=inputs + tuple(a for _, a in beside),
            names=names + tuple(name for name, _ in beside),
        )
    )
    rows = np.ravel_multi_index(y_at, facts.y.shape).ravel() if facts.y.ndim else np.array([0])
    columns = np.ravel_multi_index(x_at, whole.shape).ravel()
    part.true, part.claimed = (m[np.ix_(rows, columns)] for m in (facts.true, facts.claimed))
    return part


def blocks_beside(x: np.ndarray, of_x: Selection) -> list[tuple[str, np.ndarray]]:
    """x is several arrays side by side (a cell's gates): the others, by what would cut them out of x."""
    cut_axes = [a for a, places in enumerate(of_x) if len(places) < x.shape[a]]
    if len(cut_axes) != 1:
        return []
    axis = cut_axes[0]
    length = len(of_x[axis])
    if x.shape[axis] % length or of_x[axis][0] % length or np.any(np.diff(of_x[axis]) != 1):
        return []
    blocks = []
    for start in range(0, x.shape[axis], length):
        if start != of_x[axis][0]:
            name = f"x[{':, ' * axis}{start}:{start + length}]"
            blocks.append((name, x.take(range(start, start + length), axis)))
    return blocks
