"""Forward takes a mean, and backward divides by another number: which, and where would it come from?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from math import isclose

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant


def wrong_divisor(facts: Facts, factor: float) -> Iterator[str]:
    """factor: claimed / true, all of one value."""
    due = averaged(facts) or (losses(facts) if facts.y.size == 1 else None)
    if due is None:
        return
    n, what = due
    wrong = n / factor
    if isclose(wrong, 1, rel_tol=1e-6) and averaged(facts):
        yield f"{n} is {what}; it is not divided by it (a sum stands where a mean is due)"
    elif isclose(wrong, n * n, rel_tol=1e-6):
        yield f"{n} is {what}; it is divided by it once too often"
    elif wrong > 1.5:
        for size, origin in origins(facts):
            if isclose(wrong, size, rel_tol=1e-6):
                yield f"it is divided by {size} in place of {n}: {size} is {origin}, {n} is {what}"
                return
        if averaged(facts) and isclose(wrong, round(wrong), rel_tol=1e-6) and not isclose(abs(wrong - n), 1):
            yield f"as if divided by {round(wrong)} in place of {n}, {what}"


def averaged(facts: Facts) -> tuple[int, str] | None:
    """How many elements each output is the mean of."""
    used = facts.true != 0
    share, reads = constant(facts.true[used]), constant(used.sum(1))
    if share is None or reads is None or reads < 2 or not isclose(share * reads, 1, rel_tol=1e-6):
        return None
    return round(reads), "the number of elements of x behind each output (the window, or the group)"


def losses(facts: Facts) -> tuple[int, str] | None:
    """A loss is a mean over all elements (an error for each), or over the batch (an error for each sample)."""
    x, used = facts.x, facts.true != 0
    if x.ndim < 2:
        return None
    share = constant(np.abs(facts.true[used]))
    if used.sum() == len(x) or (share is None and coupled(facts)):
        return len(x), "the batch size"
    return x.size, "the number of elements of x"


def coupled(facts: Facts) -> bool:
    """Whether the elements of a sample influence each other's derivative, as by a softmax."""
    h, last = 0.01, facts.x[0].size - 1
    both = facts.x.copy()
    both.flat[[0, last]] += h
    inputs = [both if j == facts.index else a for j, a in enumerate(facts.inputs)]
    alone = [facts.y_with(j, float(facts.x.flat[j]) + h) for j in (0, last)]
    curvature = np.abs(facts.forward(*inputs) - alone[0] - alone[1] + facts.y)
    return bool(np.max(curvature) > 1e-12 + 1e-11 * np.max(np.abs(facts.y)))


def origins(facts: Facts) -> Iterator[tuple[int, str]]:
    """Numbers that stand there instead: a part of the window, an axis, everything."""
    x, y = facts.x, facts.y
    window = (facts.true[0] != 0).reshape(x.shape)
    lengths = {a: int(window.any(tuple(k for k in range(x.ndim) if k != a)).sum()) for a in range(x.ndim) if y.size > 1}
    for a, n in lengths.items():
        yield n, f"the window's length along axis {a} alone"
    for (a, n), (b, m) in combinations_with_replacement(lengths.items(), 2):
        if min(n, m) > 1:
            yield (
                n * m,
                f"the window's length along axis {a}, squared"
                if a == b
                else f"its extent along axes {a} and {b} alone",
            )
    yield x.size, "the number of all elements of x"
    for a, n in enumerate(x.shape):
        yield n, f"the size of axis {a} of x{' (the batch)' if a == 0 and x.ndim > 1 else ''}"
    yield y.size, "the number of elements of y"
