"""Convolution: from where does backward think that forward read?

For the gradient of x, every output's gy puts the kernel down somewhere in x; for the gradient of the kernel, it
multiplies a window of x. Both times the places can be found by looking for the kernel (the window) in what backward
gave. Where output row p reads from row s·p − pad, s and pad of backward can be compared with those of forward.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same

Places = tuple[tuple[int, int], tuple[int, int], int]  # ((s, pad) for rows, (s, pad) for columns, dilation)


def wrong_convolution(facts: Facts) -> str | None:
    found = setting(facts)
    if found is None:
        return None
    p, q = found.y_shape[2:]
    due, came = (placed(matrix, found) for matrix in (facts.true, facts.claimed))
    if due is None or came is None or due == came:
        return None
    if not same(facts.claimed, predicted(came, found)):
        return None
    if not same(facts.true, predicted(due, found)):
        return None
    parts = []
    if due[2] != came[2]:
        what = "the dilation is ignored" if came[2] == 1 else "the dilation is wrong"
        parts.append(f"{what}, {came[2]} in place of {due[2]}")
    for axis, right, wrong, length in zip(("row", "column"), due[:2], came[:2], (p, q), strict=True):
        if right == wrong or (length == 1 and right[1] == wrong[1]):
            continue
        if right[0] != wrong[0] and length > 1:
            what = "the stride is ignored" if wrong[0] == 1 else "the stride is wrong"
            parts.append(f"{axis}s: {what}, {wrong[0]} in place of {right[0]}")
        if right[1] != wrong[1]:
            parts.append(
                f"{axis}s: shifted by {right[1] - wrong[1]}, as with a padding of {wrong[1]} in place of {right[1]} "
                "(padding forgotten, or cropped wrongly)".replace("-", "−")
            )
    return "backward assigns the outputs to wrong places of x: " + "; ".join(parts) + "." if parts else None


class Setting(NamedTuple):
    """Of a convolution (N,C,H,W), (O,C,KH,KW) -> (N,O,P,Q), or of one in one dimension, with H = KH = P = 1."""

    x: np.ndarray
    w: np.ndarray
    y_shape: tuple[int, ...]
    kernel_wanted: bool


def setting(facts: Facts) -> Setting | None:
    """None if this is no convolution."""
    if len(facts.inputs) < 2 or facts.index > 1:
        return None
    x, w = facts.inputs[:2]
    y_shape = facts.y.shape
    if {x.ndim, w.ndim, len(y_shape)} == {3}:
        x, w, y_shape = x[:, :, None], w[:, :, None], (*y_shape[:2], 1, y_shape[2])
    if {x.ndim, w.ndim, len(y_shape)} != {4}:
        return None
    if x.shape[1] != w.shape[1] or y_shape[:2] != (x.shape[0], w.shape[0]):
        return None
    return Setting(x, w, y_shape, facts.index == 1)


def placed(matrix: np.ndarray, found: Setting) -> Places | None:
    """Stride, padding and dilation that this Jacobian was made with."""
    for dilation in (1, 2, 3):
        places = placed_with(dilation, matrix, found)
        if places is not None:
            return places
    return None


def placed_with(dilation: int, matrix: np.ndarray, found: Setting) -> Places | None:
    x, w, n_out, kernel_wanted = found
    pairs = []
    blocks = matrix.reshape(*n_out, *(w if kernel_wanted else x).shape)
    kh, kw = w.shape[2:]
    reach = (dilation * (kh - 1) + 1, dilation * (kw - 1) + 1)
    padded_x = padded(x, reach)
    for p, q in np.ndindex(*n_out[2:]):
        block = blocks[0, 0, p, q]
        pattern, image = (block[0], padded_x[0]) if kernel_wanted else (w[0], padded(block, reach)[0])
        if not np.any(pattern):
            continue
        views = np.lib.stride_tricks.sliding_window_view(image, reach, (1, 2))  # (C, rows, columns, *reach)
        views = views[..., ::dilation, ::dilation]
        error = np.abs(views - pattern[:, None, None]).max((0, 3, 4))
        hits = np.argwhere(error < 1e-7 * np.abs(pattern).max())
        if len(hits) == 1:
            pairs.append((p, q, int(hits[0][0]) - reach[0], int(hits[0][1]) - reach[1]))
    if not pairs:
        return None
    rows = lines([(p, r) for p, _, r, _ in pairs])
    columns = lines([(q, c) for _, q, _, c in pairs])
    candidates = [(r, c, dilation) for r in rows for c in columns]
    if len(candidates) > 1:  # a kernel that is seen whole at one place only
        candidates = [places for places in candidates if same(matrix, predicted(places, found))]
    return candidates[0] if candidates else None


def padded(image: np.ndarray, by: tuple[int, int]) -> np.ndarray:
    kh, kw = by
    return np.pad(image, [(0, 0), (0, 0), (kh, kh), (kw, kw)])


def lines(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every (s, pad) with origin = s·p − pad through all the points; through a single one several go."""
    (p0, r0), (p1, r1) = min(points), max(points)
    strides = [(r1 - r0) // (p1 - p0)] if p1 != p0 else [1, 2, 3, 4] if p0 else [1]
    return [(s, s * p0 - r0) for s in strides if all(r == s * p - (s * p0 - r0) for p, r in points)]


def predicted(places: Places, found: Setting) -> np.ndarray:
    """The whole Jacobian for this stride and padding; what falls outside is lost."""
    (s, pad), (t, pad_t), d = places
    x, w, (n, o, p, q), kernel_wanted = found
    kh, kw = w.shape[2:]
    far = max(abs(s) * p, abs(t) * q, abs(pad), abs(pad_t)) + d * max(kh, kw) + max(x.shape[2:])
    out = np.zeros((n, o, p, q, *(w if kernel_wanted else x).shape))
    wide = np.pad(x, [(0, 0), (0, 0), (far, far), (far, far)])
    for b, f, i, j in np.ndindex(n, o, p, q):
        r, c = s * i - pad + far, t * j - pad_t + far
        if kernel_wanted:
            out[b, f, i, j, f] = wide[b, :, r : r + d * kh : d, c : c + d * kw : d]
        else:
            canvas = np.zeros(wide.shape[1:])
            canvas[:, r : r + d * kh : d, c : c + d * kw : d] = w[f]
            out[b, f, i, j, b] = canvas[:, far : far + x.shape[2], far : far + x.shape[3]]
    return out.reshape(n * o * p * q, -1)
