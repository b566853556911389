"""Gradients at the wrong address: handed to another input, or to other elements of x."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, jacobian, same


def wrong_input(
    facts: Facts, backward_of: Callable[[int], Callable[[np.ndarray], np.ndarray]], plain: bool = False
) -> str | None:
    """The gradient of another input, which has the same shape. plain: say so even if it may be a coincidence."""
    for j, x in enumerate(facts.inputs):
        if j == facts.index or x.shape != facts.x.shape or x.dtype.kind != "f":
            continue
        theirs = jacobian(facts.forward, facts.inputs, j)
        if not same(facts.claimed, theirs) or same(facts.true, theirs):
            continue
        if same(np.stack([backward_of(j)(gy) for gy in facts.gys]), facts.gradients(facts.true)):
            product = constant(np.abs(theirs[theirs != 0])) is None
            hint = " In a product: each must be multiplied by the other's value, not by its own." if product else ""
            return (
                f"The gradients of input {facts.index} and input {j} are swapped: return them in forward's order of "
                f"parameters.{hint}"
            )
        own = np.isin(np.round(np.abs(theirs[theirs != 0]), 6), np.round(np.abs(facts.x), 6)).all()
        belongs = f"The gradient of input {facts.index} is the one that belongs to input {j}"
        if own and not same(theirs, -facts.true):
            return f"{belongs}: in a product, it is multiplied by its own value where the other's is due."
        if plain:
            return f"{belongs}."
    return None


def scattered(facts: Facts) -> str | None:
    """Each output hands back the right values, but to other elements of x."""
    true, claimed = facts.true, facts.claimed
    if not same(np.sort(claimed, axis=1), np.sort(true, axis=1)) or np.all((true != 0).sum(1) != 1):
        return None
    wrong = [k for k in np.flatnonzero((true != 0).sum(1) == 1) if not same(claimed[k], true[k])]
    if not wrong:
        return None
    place = list(map(int, np.unravel_index(wrong[0], facts.y.shape)))
    rows = (claimed[wrong[0]], true[wrong[0]])
    came, due = (list(map(int, np.unravel_index(np.argmax(np.abs(row)), facts.x.shape))) for row in rows)
    return (
        f"The right values arrive at the wrong places: gy{place} is added to gx{came}, but y{place} comes from x{due}. "
        f"{len(wrong)} of {len(true)} outputs are concerned; compare the indices (axis, start, order, inverse "
        "permutation) with those of forward."
    )
