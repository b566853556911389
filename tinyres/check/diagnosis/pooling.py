"""Pooling: each output is the maximum, or the mean, of a window of x."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, same

OVERWRITTEN = (
    "where windows overlap, the gradient is assigned (overwritten) instead of added, so that only the last "
    "window counts: "
    "use += for each window."
)


def wrong_pooling(facts: Facts) -> str | None:
    windows = maximum_windows(facts)
    if windows is not None:
        predictions = wrong_maximum(facts, windows)
    else:
        used = facts.true != 0
        values = [constant(row[u]) for row, u in zip(facts.true, used, strict=True) if u.any()]
        if not np.any(used.sum(1) > 1) or any(v is None or v <= 0 for v in values):
            return None
        windows, predictions = used, wrong_mean(facts, used)
    kept = last_only(facts.true, windows)
    if same(facts.claimed, kept) and not same(kept, facts.true):
        return f"Each window alone is right, but {OVERWRITTEN}"
    for matrix, mistake in predictions:
        if same(facts.claimed, matrix) and not same(matrix, facts.true):
            return mistake
        kept = last_only(matrix, windows)
        if windows.sum(0).max() > 1 and same(facts.claimed, kept) and not same(kept, matrix):
            return f"{mistake} Moreover, {OVERWRITTEN}"
    return None


def maximum_windows(facts: Facts) -> np.ndarray | None:
    """Which x each output could be, (ny, nx), if each is the largest x of several: found by raising every x in turn."""
    x, y, true = facts.x, facts.y.ravel(), facts.true
    if not same(true.max(1), np.ones(len(y))) or np.any((true != 0).sum(1) != 1):
        return None
    if not same(x.ravel()[true.argmax(1)], y):
        return None
    windows = np.zeros(true.shape, bool)
    higher = float(np.max(x)) + 1
    for j in range(x.size):
        windows[:, j] = facts.y_with(j, higher).ravel() == higher
    return windows if np.any(windows.sum(1) > 1) else None


def wrong_maximum(facts: Facts, windows: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    nx = windows.shape[1]
    count = windows.sum(1, keepdims=True)
    places = np.arange(nx)
    yield (
        windows * 1.0,
        (
            "gy is given to every element of the window, but y is the maximum: only the element that was the "
            "maximum gets it "
            "(the mask of the argmax is missing)."
        ),
    )
    yield (
        windows / count,
        ("gy is spread evenly (averaged) over the window, as for average pooling: only the maximum's element gets it."),
    )
    first = places == windows.argmax(1)[:, None]
    yield first * 1.0, "gy goes to the first element of each window instead of to its maximum (use the argmax)."
    last = places == (nx - 1 - windows[:, ::-1].argmax(1))[:, None]
    yield last * 1.0, "gy goes to the last element of each window instead of to its maximum (use the argmax)."
    smallest = places == np.where(windows, facts.x.ravel(), np.inf).argmin(1)[:, None]
    yield smallest * 1.0, "gy goes to the smallest element of each window (argmin) instead of to its maximum (argmax)."
    yield (
        facts.true / count,
        ("gy arrives at the maximum, but divided by the number of elements of the window: the maximum gets all of it."),
    )
    yield windows - facts.true, "the mask is inverted: gy goes to all elements of the window but the maximum."
    largest = np.where(windows, np.abs(facts.x.ravel()), -1).argmax(1)
    yield (
        (places == largest[:, None]) * 1.0,
        "gy goes to the element of the largest absolute value, not to the maximum.",
    )
    yield from unravelled(facts, windows)
    yield facts.true * facts.x.ravel(), "gy is multiplied by the maximum's value: its derivative is 1."
    whole = np.zeros(windows.shape)
    whole[:, facts.x.argmax()] = 1
    yield whole, "gy goes to the maximum of all of x instead of to that of each window (argmax without its axis)."
    yield (
        whole * windows,
        "gy arrives only at the maximum of all of x, but each window has a maximum of its own (x.max() without its "
        "axis, and its keepdims=True).",
    )


def unravelled(facts: Facts, windows: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """The argmax of the flattened window is turned into a row and a column by a wrong width, or put elsewhere."""
    shape = facts.x.shape
    if len(shape) < 2:
        return
    places = [np.argwhere(w.reshape(shape)) for w in windows]  # of all of a window, in order
    first, last = (np.array([edge(p, 0) for p in places]) for edge in (np.min, np.max))
    at = np.stack(np.unravel_index(facts.true.argmax(1), shape), 1)
    height, width = (last - first + 1)[0, -2:]
    inside = (at - first)[:, -2:]
    flat = inside[:, 0] * width + inside[:, 1]
    for other, what in ((height, "its height"), (shape[-1], "the image's width"), (shape[-2], "the image's height")):
        if other != width:
            yield (
                at_places(facts, first, np.stack([flat // other, flat % other], 1)),
                f"the argmax of a flattened window is divided by {other}, {what}, where the window's width {width} is "
                f"due: row = index // {width}, column = index % {width}.",
            )
    yield from strides(facts, first, last)
    start = first.copy()
    start[:, -2:] = 0
    yield (
        at_places(facts, start, inside),
        "gy goes to the maximum's place within its window, counted from the image's corner: where each window begins "
        "is lost.",
    )
    flat_places = np.stack([flat // shape[-1], flat % shape[-1]], 1)
    yield (
        at_places(facts, start, flat_places),
        "the argmax within a window is used as an index into the whole image: where each window begins is lost.",
    )


def strides(facts: Facts, first: np.ndarray, last: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """The windows lie as far apart as they are wide, or side by side, where forward's do not."""
    shape, y_shape = facts.x.shape, facts.y.shape
    if len(shape) != len(y_shape) or np.any(first[0, -2:]):  # padded: where windows begin is another matter
        return
    size = (last - first + 1)[0, -2:]
    places = np.argwhere(np.ones(y_shape, bool))
    due = {int(step) for axis in (-2, -1) for step in np.diff(np.unique(first[:, axis]))}
    for step, what in ((int(size[0]), "the window's size"), (1, "one")):
        if due == {step} or len(due) != 1:
            continue
        matrix = np.zeros(facts.true.shape)
        for row, place in enumerate(places):
            top, left = step * place[-2:]
            window = facts.x[(*place[:-2], slice(top, top + size[0]), slice(left, left + size[1]))]
            if window.size:
                i, j = np.unravel_index(window.argmax(), window.shape)
                matrix[row, np.ravel_multi_index((*place[:-2], top + i, left + j), shape)] = 1
        yield (
            matrix,
            f"backward takes its windows {step} apart ({what}), forward {due.copy().pop()} apart (the stride): window "
            "(p, q) begins at row p·stride, column q·stride.",
        )


def at_places(facts: Facts, start: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The Jacobian that sends each output to start + (row, column), or to the border if that lies outside."""
    place = start.copy()
    place[:, -2:] += inside
    place = np.minimum(place, np.array(facts.x.shape) - 1)
    matrix = np.zeros(facts.true.shape)
    matrix[np.arange(len(place)), np.ravel_multi_index(tuple(place.T), facts.x.shape)] = 1
    return matrix


def wrong_mean(facts: Facts, windows: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    count = windows.sum(1, keepdims=True)
    full = count.max()
    yield (
        windows * 1.0,
        (f"gy is not divided by the window's size: each of its elements gets gy/{full}, in a mean, not gy itself."),
    )
    yield (
        windows / full,
        (f"gy is divided by {full} at the edges too, where forward's window holds fewer elements (count_include_pad)."),
    )
    yield (
        windows / np.maximum(count, 1),
        (
            "gy is divided by the number of elements inside the image at the edges, but forward divides by "
            "the whole window "
            f"({full}), padding included (count_include_pad)."
        ),
    )
    places = np.arange(windows.shape[1])
    sums = facts.true.sum(1, keepdims=True)
    first = (places == windows.argmax(1)[:, None]) * 1.0
    yield first, "gy goes to one element of each window only (the first), where every element must get its share."
    yield (
        first * facts.true,
        ("gy goes to one element of each window only (the first), where every element must get its share of it."),
    )
    biggest = places == np.where(windows, facts.x.ravel(), -np.inf).argmax(1)[:, None]
    yield (
        biggest * sums,
        "gy goes to the maximum of each window, as for max pooling: in a mean every element gets a share.",
    )


def last_only(matrix: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """What is left if every window in turn is written over what stood there."""
    rows = np.arange(len(matrix))[:, None]
    return np.where(rows == np.where(windows, rows, -1).max(0), matrix, 0)
