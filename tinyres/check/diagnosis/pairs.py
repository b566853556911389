"""Ops of which each output depends on one x, or each x reaches one output: what stands at each such pair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same, subsets
from tinyres.check.diagnosis.formulas import Known, monomial


class Pairs(NamedTuple):
    """One entry for every (output, x) that belong together."""

    true: np.ndarray
    claimed: np.ndarray
    values: Known  # x, the other inputs and y, as they stand at each pair


def pairs(facts: Facts) -> Pairs | None:
    """None if the op is of another kind."""
    claimed = facts.claimed
    used = (facts.true != 0) | (np.abs(claimed) > 1e-10 * np.max(np.abs(claimed)))
    if facts.x.shape == facts.y.shape and not np.any(used & ~np.eye(len(used), dtype=bool)):
        rows = columns = np.arange(len(used))
    elif np.all(used.sum(1) <= 1) or np.all(used.sum(0) <= 1):
        rows, columns = np.nonzero(used)
    else:
        return None
    if len(rows) < 4:
        return None
    values = {"x": facts.x.ravel()[columns]}
    for name, a in facts.others:
        for shape, places in ((facts.y.shape, rows), (facts.x.shape, columns)):
            if a.ndim <= len(shape) and all(n in (1, m) for n, m in zip(a.shape[::-1], shape[::-1], strict=False)):
                values[name] = np.broadcast_to(a, shape).ravel()[places]
                break
    values["y"] = facts.y.ravel()[rows]
    values.update(centred(facts, rows, columns, facts.true[rows, columns]))
    return Pairs(facts.true[rows, columns], claimed[rows, columns], values)


def centred(facts: Facts, rows: np.ndarray, columns: np.ndarray, true: np.ndarray) -> Known:
    """x less its mean, or another input so, if the local derivative is made of that: var, std, a norm's gamma."""
    for name, a, places in [("x", facts.x, columns), *((n, a, rows) for n, a in facts.others)]:
        if a.shape != (facts.x if name == "x" else facts.y).shape or a.size < 4:
            continue
        for axes in subsets(a.ndim):
            rest, var = a - a.mean(axes, keepdims=True), a.var(axes, keepdims=True)
            known = {f"({name} − mean)": rest.ravel()[places]}
            if name == "x":
                if monomial(true, known | {"y": facts.y.ravel()[rows]}):
                    for other in subsets(a.ndim):  # which mean else may have been taken off
                        if other != axes:
                            rest = a - a.mean(other, keepdims=True)
                            known[f"(x − mean over axes {other})"] = rest.ravel()[places]
                    return known
                continue
            for eps in (1e-5, 0.0, 1e-3, 1e-6, 1e-8, 1e-12):
                std = np.broadcast_to(np.sqrt(var + eps), a.shape)
                if same((rest / std).ravel()[places], true):
                    for other in subsets(a.ndim):  # over which axes else the statistics may have been taken
                        if other != axes:
                            scaled = (a - a.mean(other, keepdims=True)) / np.sqrt(a.var(other, keepdims=True) + eps)
                            known[f"({name} − mean)/std over axes {other}"] = scaled.ravel()[places]
                    return known | {"std": std.ravel()[places]}
    return {}
