"""The errors of several seeds, and the rule by which one net counts as better than another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def last(runs: Sequence[Sequence[dict[str, float]]], which: str = "test_error") -> np.ndarray:
    """The error of every seed after the last epoch, in percent: (S,). runs: the result of fit for each seed."""
    return np.array([100 * run[-1][which] for run in runs])


def spread(errors: np.ndarray) -> float:
    """The standard deviation over the seeds; 0 for a single seed."""
    return float(errors.std(ddof=1)) if len(errors) > 1 else 0.0


def better(one: np.ndarray, other: np.ndarray) -> bool:
    """Is one's mean below the other's by more than the larger of their standard deviations?"""
    return bool(other.mean() - one.mean() > max(spread(one), spread(other)))


def mean_and_spread(errors: np.ndarray) -> str:
    return f"{errors.mean():.2f} ± {spread(errors):.2f}"
