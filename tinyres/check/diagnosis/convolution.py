"""Convolution: the gradient is the right one for another stride, padding or dilation.

Output row p reads the rows p·stride − padding + dilation·i of x. Which settings forward has is found by trying, and so
is which ones backward has.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same

PADDINGS = (0, 1, 2, 3, -1, -2)


class Setting(NamedTuple):
    """Of one axis."""

    stride: int
    padding: int
    dilation: int


def wrong_convolution(facts: Facts) -> str | None:
    if len(facts.inputs) < 2 or facts.index > 1:
        return None
    x, w, gys = *facts.inputs[:2], facts.gys[:2]
    if {x.ndim, w.ndim, facts.y.ndim} == {3}:  # in one dimension: images of one row
        x, w, gys = x[:, :, None], w[:, :, None], gys[..., None, :]
    if {x.ndim, w.ndim, gys.ndim - 1} != {4} or x.shape[1] != w.shape[1] or gys.shape[1:3] != (len(x), len(w)):
        return None
    shape = (2, *(w if facts.index else x).shape)
    true, claimed = (facts.gradients(m)[:2].reshape(shape) for m in (facts.true, facts.claimed))
    rows, columns = (
        [Setting(*s) for s in product((1, 2, 3, 4) if n > 1 else (1,), PADDINGS, (1, 2, 3))] for n in gys.shape[3:]
    )
    both = [(a, b) for a in rows for b in columns if a == b or min(gys.shape[3:]) == 1]
    due = next((s for s in both if agrees(true, x, w, gys, s, facts.index)), None)
    if due is None:
        return None
    others = [*both, *((row, due[1]) for row in rows), *((due[0], column) for column in columns)]
    came = next((s for s in others if agrees(claimed, x, w, gys, s, facts.index)), None)
    if came is None or came == due:
        return None
    parts = []
    for axis, right, wrong, length in zip(("row", "column"), due, came, gys.shape[3:], strict=True):
        for what, a, b in zip(("stride", "padding", "dilation"), right, wrong, strict=True):
            if what == "padding" and a != b:
                parts.append(f"{axis}s: shifted by {a - b}, as with a padding of {b} in place of {a}")
            elif a != b and length > 1:
                parts.append(f"{axis}s: the {what} is {'ignored' if b == 1 else 'wrong'}, {b} in place of {a}")
    says = f"backward assigns the outputs to wrong places of x: {'; '.join(parts)}.".replace("-", "−")
    return says if parts else None


def agrees(
    gradient: np.ndarray, x: np.ndarray, w: np.ndarray, gys: np.ndarray, at: tuple[Setting, Setting], of_w: int
) -> bool:
    """Whether this is the gradient of x, or of w, with these settings: for both gys. What falls outside is lost."""
    (s, p, d), (t, q, e) = at
    (kh, kw), (rows, columns), (height, width) = w.shape[2:], gys.shape[3:], x.shape[2:]
    far = max(s * rows + d * kh, t * columns + e * kw, height, width) + 4
    canvas = np.zeros((*x.shape[:2], height + 2 * far, width + 2 * far))
    inside = np.s_[..., far : far + height, far : far + width]
    for gy, g in zip(gys, gradient, strict=True):
        found = np.zeros(w.shape) if of_w else canvas.copy()
        source = canvas.copy()
        source[inside] = x
        for i, j in np.ndindex(kh, kw):
            r, c = far - p + d * i, far - q + e * j
            read = np.s_[:, :, r : r + s * rows : s, c : c + t * columns : t]
            if of_w:
                found[:, :, i, j] = np.einsum("nopq,ncpq->oc", gy, source[read])
            else:
                found[read] += np.einsum("nopq,oc->ncpq", gy, w[:, :, i, j])
        if not same(g, found if of_w else found[inside]):
            return False
    return True
