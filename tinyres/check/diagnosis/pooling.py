"""Pooling: each output is the maximum, or the mean, of a window of x. Who of the window gets which share of gy?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, same
from tinyres.check.diagnosis.ways import overwritten

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
    found = (mistake for matrix, mistake in shares if same(facts.claimed, matrix))
    return next(found, None) or overwritten(facts, windows)


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
    yield windows - facts.true, "the mask is inverted: gy goes to all elements of the window but the maximum."
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
            place = np.minimum(first[:, -2:] + np.stack([flat // other, flat % other], 1), [n - 1 for n in shape[-2:]])
            goes = np.ravel_multi_index((*first[:, :-2].T, *place.T), shape)
            yield (
                (np.arange(facts.x.size) == goes[:, None]) * 1.0,
                f"the argmax of a flattened window is divided by {other}, {what}, where the window's width {width} is "
                f"due: row = index // {width}, column = index % {width}.",
            )
    steps = {int(step) for axis in (-2, -1) for step in np.diff(np.unique(first[:, axis]))}
    padded = np.any(first[0, -2:])  # then where windows begin is another matter
    for wrong, what in ((int(height), "the window's size"), (1, "one")):
        if len(steps) == 1 and steps != {wrong} and len(shape) == facts.y.ndim and not padded:
            apart = windows_apart(facts, wrong, height, width)
            yield (
                chosen(apart, facts.x.ravel()) * apart.any(1, keepdims=True),
                f"backward takes its windows {wrong} apart ({what}), forward {min(steps)} apart (the stride): "
                "window (p, q) begins at row p·stride, column q·stride.",
            )


def windows_apart(facts: Facts, step: int, height: int, width: int) -> np.ndarray:
    """Which x are in the window of which output, if these begin so many rows and columns apart."""
    outputs, places = (np.argwhere(np.ones(a.shape, bool)) for a in (facts.y, facts.x))
    outputs[:, -2:] *= step
    offset = places - outputs[:, None]
    size = [*[1] * (facts.x.ndim - 2), height, width]
    return np.asarray(np.all((offset >= 0) & (offset < size), axis=2))


def wrong_mean(facts: Facts, windows: np.ndarray) -> Shares:
    count = windows.sum(1, keepdims=True)
    full = count.max()
    yield windows / full, f"gy is divided by {full} at the edges too, where the window is smaller (count_include_pad)."
    yield (
        windows / np.maximum(count, 1),
        "gy is divided by the number of elements inside the image at the edges, but forward divides by the whole "
        f"window ({full}), padding included (count_include_pad).",
    )
    yield (
        chosen(windows, -np.arange(facts.x.size)) * facts.true,
        "gy goes to the first element of each window only, where every element must get its share.",
    )
    yield (
        chosen(windows, facts.x.ravel()) * facts.true.sum(1, keepdims=True),
        "gy goes to the maximum of each window, as for max pooling: in a mean every element gets a share.",
    )
