"""The paths from y back to x: one lost, counted twice or written over another; or spread along the wrong axes."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, joined, places_along, same, subsets
from tinyres.check.diagnosis.formulas import spelled


def paths(facts: Facts) -> str | None:
    """y = x + f(x): one of the two paths is lost."""
    if facts.x.shape != facts.y.shape:
        return None
    rest, skip = facts.true - facts.claimed, np.eye(facts.x.size)
    off = skip == 0
    elementwise = not np.any(facts.true[off])
    if same(facts.claimed, skip) and not elementwise:
        return (
            "gy is passed on unchanged, as if y were x: what forward does is left out. For a residual x + f(x), only "
            "the path of x is counted, and what comes back through the branch f is not accumulated."
        )
    if np.any(np.abs(rest[off]) > 1e-7 * np.max(np.abs(facts.true))):
        return None
    known = {n: a.ravel() for n, a in (("x", facts.x), *facts.others, ("y", facts.y)) if a.shape == facts.x.shape}
    for sign, size, what in ((1, "small", "it is not accumulated"), (-1, "large", "it counts twice")):
        passes = spelled(sign * np.diag(rest), known)
        if passes == "1" or (passes and not elementwise):  # else a wrong formula is the better guess
            gy = "gy" if passes == "1" else f"gy·{passes}"
            return (
                f"The gradient is too {size} by exactly {gy}, which is what the direct path of x passes (the skip "
                f"connection of a residual): {what}."
            )
    return None


def held_constant(facts: Facts) -> str | None:
    """y is a product of things that all depend on x, and not all of them are counted."""
    x, y = facts.x, facts.y.ravel()
    degree, counted = (power(m @ x.ravel(), y) for m in (facts.true, facts.claimed))
    if 0 < counted < degree:
        return (
            f"Forward multiplies x by itself (y is of degree {degree} in x), so that x reaches y along {degree} "
            f"paths, but only {counted} of them counted: by the product rule, a term is missing."
        )
    for axes in subsets(x.ndim):  # y depends on x/|x| alone, linearly: a cosine, a weight norm
        along = (x / (x**2).sum(axes, keepdims=True)).ravel()
        if same(facts.claimed - facts.true, y[:, None] * along * (facts.claimed != 0)):
            return (
                f"The length |x| (over axis {joined(axes)}), by which forward divides, is treated as a "
                "constant, but it depends on x: the term −gy·y·x/|x|² is missing."
            )
    return None


def power(slope: np.ndarray, y: np.ndarray) -> int:
    """k, if Σ x·dy/dx = k·y: then y is of degree k in x. 0 if it is of none."""
    k = constant(slope / y, 1e-6) if len(y) > 2 and np.all(y) else None
    return round(k) if k and abs(k - round(k)) < 1e-6 else 0


def transposed_map(facts: Facts) -> str | None:
    """The Jacobian itself in place of its transpose."""
    if facts.true.shape[0] != facts.true.shape[1] or not same(facts.claimed, facts.true.T) or facts.true.size == 1:
        return None
    return (
        "Backward applies forward's own linear map to gy, where its transpose is due: a matrix lacks its .T, or a sum "
        "runs in the wrong direction (a cumulative sum forwards, for instance)."
    )


def overwritten(facts: Facts, read: np.ndarray | None = None) -> str | None:
    """Where several outputs read one x, only the last of them counts: gx[...] = gy in place of +=.

    A backward may loop over some axes of y and treat the others at once; so every choice of looped axes is tried.
    read: which x are written for which output, if not only those of the true gradient.
    """
    true, shape = facts.true, facts.y.shape
    read = true != 0 if read is None else read
    if not np.any(read.sum(0) > 1):
        return None
    for looped in subsets(len(shape)):
        step = places_along(shape, looped).reshape(-1, 1)  # of the loop
        kept = np.where(step == np.where(read, step, -1).max(0), true, 0)
        if same(facts.claimed, kept) and not same(kept, true):
            return (
                "Where several outputs read the same element of x, only the last of them counts: the gradient is "
                "assigned (overwritten) instead of added. Accumulate with += (np.add.at for index arrays); overlapping "
                "windows, repeated indices and broadcasts must be summed."
            )
    return None


def elementwise(facts: Facts) -> str | None:
    """backward treats every element by itself, where forward does not."""
    off = ~np.eye(facts.x.size, dtype=bool)
    if facts.x.shape != facts.y.shape or np.any(facts.claimed[off]) or not np.any(facts.true[off]):
        return None
    return (
        "backward treats each element by itself: gx depends on the gy of the same place alone. But in forward each "
        "output depends on several x (by a sum, a mean, a product): the terms through the others are missing."
    )


def wrong_axes(facts: Facts) -> str | None:
    """gy is spread along the wrong axes after a sum (keepdims), or summed over the wrong ones."""
    x, y, used = facts.x, facts.y, facts.true != 0
    if y.size < x.size and np.all(used.sum(0) <= 1):  # each x reaches one output
        local = facts.true.sum(0).reshape(x.shape)
        wide = {axes: tuple(1 if a in axes else n for a, n in enumerate(x.shape)) for axes in subsets(x.ndim)}
        gradients = {a: facts.gys.reshape(6, *s) * local for a, s in wide.items() if np.prod(s) == y.size}
        says = (
            "gy is spread along axis {} of x, but forward reduced axis {}: the reduced axis must be put back where it "
            "was (keepdims=True, np.expand_dims, or [:, None]) before gy is broadcast."
        )
    elif x.size < y.size and np.all(used.sum(1) <= 1):  # each output reads one x
        products = facts.gys * facts.true.sum(1).reshape(y.shape)
        sums = {axes: products.sum(tuple(a + 1 for a in axes)) for axes in subsets(y.ndim)}
        gradients = {axes: s.reshape(6, *x.shape) for axes, s in sums.items() if s.size == 6 * x.size}
        says = "It is summed over axis {}, but the sum must run over axis {}: those along which forward broadcasts x."
    else:
        return None
    due, came = (
        [axes for axes, gradient in gradients.items() if same(gradient, facts.gradients(matrix))]
        for matrix in (facts.true, facts.claimed)
    )
    if not due or not came or due == came:
        return None
    return says.format(*(str(axes[0]) if len(axes) == 1 else str(axes) for axes in (came[0], due[0])))
