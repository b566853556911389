"""Pooling: each output is the maximum, or the mean, of a window of x. Who of the window gets which share of gy?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, same

OVERWRITTEN = (
    "where windows overlap, the gradient is assigned (overwritten) instead of added, so that only the last window "
    "counts: use += for each window."
)
Shares = Iterator[tuple[np.ndarray, str]]  # (the Jacobian with a mistake in it, the mistake)


def wrong_pooling(facts: Facts) -> str | None:
    used = facts.true != 0
    windows = maximum_windows(facts)
    if windows is not None:
        shares = wrong_maximum(facts, windows)
    else:
        values = [constant(row[u]) for row, u in zip(facts.true, used, strict=True) if u.any()]
        if not np.any(used.sum(1) > 1) or any(v is None or v <= 0 for v in values):
            return None
        windows, shares = used, wrong_mean(facts, used)
    rows = np.arange(len(windows))[:, None]
    last = rows == np.where(windows, rows, -1).max(0)  # each window in turn written over what was there
    for matrix, mistake in ((facts.true, ""), *shares):
        if mistake and same(facts.claimed, matrix) and not same(matrix, facts.true):
            return mistake
        if windows.sum(0).max() > 1 and same(facts.claimed, matrix * last) and not same(matrix * last, matrix):
            return f"{mistake} Moreover, {OVERWRITTEN}" if mistake else f"Each window alone is right, but {OVERWRITTEN}"
    return None


def maximum_windows(facts: Facts) -> np.ndarray | None:
    """Which x each output could be, (ny, nx), if each is the largest x of several: found by raising every x in turn."""
    x, y, true = facts.x, facts.y.ravel(), facts.true
    if not same(true.max(1), np.ones(len(y))) or np.any((true != 0).sum(1) != 1):
        return None
    if not same(x.ravel()[true.argmax(1)], y):
        return None
    higher = float(np.max(x)) + 1
    windows = np.stack([facts.y_with(j, higher).ravel() == higher for j in range(x.size)], axis=1)
    return windows if np.any(windows.sum(1) > 1) else None


def chosen(windows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """1 at each window's element of the largest value, 0 elsewhere."""
    best = np.where(windows, values, -np.inf).argmax(1)
    return (np.arange(windows.shape[1]) == best[:, None]) * 1.0


def wrong_maximum(facts: Facts, windows: np.ndarray) -> Shares:
    x, count, order = facts.x.ravel(), windows.sum(1, keepdims=True), np.arange(facts.x.size)
    whole = np.zeros(windows.shape)
    whole[:, x.argmax()] = 1
    yield (
        windows * 1.0,
        "gy is given to every element of the window, but y is the maximum: only the element that was the maximum gets "
        "it (the mask of the argmax is missing).",
    )
    only = "only the maximum's element gets it."
    yield windows / count, f"gy is spread evenly (averaged) over the window, as for average pooling: {only}"
    argmax = "instead of to its maximum (argmax)."
    yield chosen(windows, -order), f"gy goes to the first element of each window {argmax}"
    yield chosen(windows, order), f"gy goes to the last element of each window {argmax}"
    yield chosen(windows, -x), f"gy goes to the smallest element of each window (argmin) {argmax}"
    yield chosen(windows, np.abs(x)), "gy goes to the element of the largest absolute value, not to the maximum."
    yield (
        facts.true / count,
        "gy arrives at the maximum, but divided by the number of elements of the window: the maximum gets all of it.",
    )
    yield windows - facts.true, "the mask is inverted: gy goes to all elements of the window but the maximum."
    yield facts.true * x, "gy is multiplied by the maximum's value: its derivative is 1."
    yield whole, "gy goes to the maximum of all of x instead of to that of each window (argmax without its axis)."
    yield (
        whole * windows,
        "gy arrives only at the maximum of all of x, but each window has a maximum of its own (x.max() without its "
        "axis, and its keepdims=True).",
    )
    if facts.x.ndim > 1:
        yield from misplaced(facts, windows)


def misplaced(facts: Facts, windows: np.ndarray) -> Shares:
    """The argmax of the flattened window is turned into a row and a column by a wrong width, or put elsewhere."""
    shape = facts.x.shape
    inside = [np.argwhere(w.reshape(shape)) for w in windows]  # of each window, its elements in order
    first, last = (np.array([edge(p, 0) for p in inside]) for edge in (np.min, np.max))
    row, column = (np.stack(np.unravel_index(facts.true.argmax(1), shape), 1) - first)[:, -2:].T
    height, width = (last - first + 1)[0, -2:]
    flat = row * width + column
    for other, what in ((height, "its height"), (shape[-1], "the image's width"), (shape[-2], "the image's height")):
        if other != width:
            yield (
                at_places(facts, first, flat // other, flat % other),
                f"the argmax of a flattened window is divided by {other}, {what}, where the window's width {width} is "
                f"due: row = index // {width}, column = index % {width}.",
            )
    steps = {int(step) for axis in (-2, -1) for step in np.diff(np.unique(first[:, axis]))}
    sizes = ((int(height), "the window's size"), (1, "one")) if len(steps) == 1 and len(shape) == facts.y.ndim else ()
    for step, what in () if np.any(first[0, -2:]) else sizes:  # padded: where windows begin is another matter
        if steps != {step}:
            start = np.argwhere(np.ones(facts.y.shape, bool))
            start[:, -2:] *= step
            wide = np.pad(
                facts.x, [(0, 0)] * (facts.x.ndim - 2) + [(0, step * n) for n in shape[-2:]], constant_values=-np.inf
            )
            views = [wide[(*at[:-2], slice(at[-2], at[-2] + height), slice(at[-1], at[-1] + width))] for at in start]
            there = [int(np.argmax(v)) if np.isfinite(v).any() else -1 for v in views]
            lost = np.array([n < 0 for n in there])
            matrix = at_places(facts, start, np.array(there) // width, np.array(there) % width)
            yield (
                np.where(lost[:, None], 0, matrix),
                f"backward takes its windows {step} apart ({what}), forward {steps.copy().pop()} apart (the stride): "
                "window (p, q) begins at row p·stride, column q·stride.",
            )
    corner = first.copy()
    corner[:, -2:] = 0
    yield (
        at_places(facts, corner, row, column),
        "gy goes to the maximum's place within its window, counted from the image's corner: where each window begins "
        "is lost.",
    )
    yield (
        at_places(facts, corner, flat // shape[-1], flat % shape[-1]),
        "the argmax within a window is used as an index into the whole image: where each window begins is lost.",
    )


def at_places(facts: Facts, start: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The Jacobian that sends each output to start + (row, column), or to the border if that lies outside."""
    place = start.copy()
    place[:, -2:] += np.stack([row, column], 1)
    place = np.minimum(place, np.array(facts.x.shape) - 1)
    matrix = np.zeros(facts.true.shape)
    matrix[np.arange(len(place)), np.ravel_multi_index(tuple(place.T), facts.x.shape, mode="clip")] = 1
    return matrix


def wrong_mean(facts: Facts, windows: np.ndarray) -> Shares:
    count, order = windows.sum(1, keepdims=True), np.arange(facts.x.size)
    full, first = count.max(), chosen(windows, -order)
    yield (
        windows * 1.0,
        f"gy is not divided by the window's size: each of its elements gets gy/{full}, in a mean, not gy itself.",
    )
    yield (
        windows / full,
        f"gy is divided by {full} at the edges too, where forward's window holds fewer elements (count_include_pad).",
    )
    yield (
        windows / np.maximum(count, 1),
        "gy is divided by the number of elements inside the image at the edges, but forward divides by the whole "
        f"window ({full}), padding included (count_include_pad).",
    )
    for matrix in (first, first * facts.true):
        yield matrix, "gy goes to one element of each window only (the first), where every element must get its share."
    yield (
        chosen(windows, facts.x.ravel()) * facts.true.sum(1, keepdims=True),
        "gy goes to the maximum of each window, as for max pooling: in a mean every element gets a share.",
    )
