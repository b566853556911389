"""Along which axes? gy spread along the wrong one after a sum (keepdims), or summed over the wrong ones."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same, subsets


def wrong_axes(facts: Facts) -> str | None:
    return spread_along_others(facts) or summed_over_others(facts)


def spread_along_others(facts: Facts) -> str | None:
    """Each x reaches one output, and gy was broadcast to x's shape along other axes than forward reduced."""
    x, used = facts.x, facts.true != 0
    if np.any(used.sum(0) > 1) or facts.y.size == x.size:
        return None
    local, claimed = facts.true.sum(0).reshape(x.shape), facts.gradients(facts.claimed)
    right = facts.gradients(facts.true)
    for axes in subsets(x.ndim):
        kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
        if np.prod(kept) != facts.y.size or not same(facts.gys.reshape(6, *kept) * local, right, 1e-9):
            continue
        for other in subsets(x.ndim):
            wide = tuple(1 if a in other else n for a, n in enumerate(x.shape))
            if other == axes or squeezed(wide) != squeezed(kept):
                continue
            if same(claimed, facts.gys.reshape(6, *wide) * local) and not same(claimed, right):
                return (
                    f"gy is spread along axis {listed(other)} of x, but forward reduced axis {listed(axes)}: the "
                    "reduced axis must be put back where it was (keepdims=True, np.expand_dims, or [:, None]) "
                    "before gy is broadcast."
                )
    return None


def summed_over_others(facts: Facts) -> str | None:
    """Each output reads one x, which forward broadcasts; the product of every place is summed over the wrong axes."""
    x, y, used = facts.x, facts.y, facts.true != 0
    if np.any(used.sum(1) > 1) or x.size >= y.size:
        return None
    products = facts.gys * facts.true.sum(1).reshape(y.shape)
    right, claimed = facts.gradients(facts.true), facts.gradients(facts.claimed)
    sums = {axes: s.reshape(6, *x.shape) for axes in subsets(y.ndim) if (s := total(products, axes)).size == 6 * x.size}
    due = [axes for axes, s in sums.items() if same(s, right, 1e-9)]
    came = [axes for axes, s in sums.items() if same(s, claimed) and axes not in due]
    if not due or not came:
        return None
    return (
        f"It is summed over axis {listed(came[0])}, but the sum must run over axis {listed(due[0])}: those along which "
        "forward broadcasts x."
    )


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def total(a: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.asarray(a.sum(tuple(k + 1 for k in axes)))


def listed(axes: tuple[int, ...]) -> str:
    return str(axes[0]) if len(axes) == 1 else str(axes)
