"""A gradient that is right up to the rounding of a smaller dtype."""

from __future__ import annotations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same, slope
from tinyres.check.diagnosis.linearity import Backward


def rounded(facts: Facts, backward: Backward) -> str | None:
    claimed, true = np.stack([backward(gy) for gy in facts.gys]), facts.gradients(facts.true)
    for dtype, exactness, name in ((np.float32, 1e-5, "float32"), (np.float16, 2e-2, "float16")):
        if same(claimed, true, exactness) and np.array_equal(claimed.astype(dtype).astype(float), claimed):
            if np.array_equal(true.astype(dtype).astype(float), true):
                continue
            error = np.max(np.abs(claimed - true)) / np.max(np.abs(true))
            return (
                f"The gradient is right, but computed in {name}: every value of it is a {name} number, with a relative "
                f"error of {error:.1g}. Keep x's dtype: an astype({name}), np.{name} or an array made without "
                "dtype= rounds."
            )
    return None


def noisy(facts: Facts) -> str | None:
    """Small errors without a pattern, well above those of the measured slopes."""
    d = np.random.default_rng(23).standard_normal(facts.x.shape)
    measured = slope(facts.forward, facts.inputs, facts.index, d).ravel()
    scale = np.max(np.abs(measured))
    error = np.max(np.abs(facts.claimed @ d.ravel() - measured)) / scale
    own = np.max(np.abs(facts.true @ d.ravel() - measured)) / scale
    if not 30 * own < error or not 3e-9 < error < 1e-6:
        return None
    return (
        f"The gradient is right up to a relative error of {error:.1g}, which is the size of float32's "
        "rounding: something "
        "in backward is probably computed or saved in float32. Keep x's dtype throughout."
    )
