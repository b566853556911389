"""The error of an anomaly, and the parts of its message."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.nn import Parameter


class AnomalyError(RuntimeError):
    """Something went wrong in an op. The message says what, in which op, and where the program called it."""

    def __init__(self, what: str, details: Iterable[tuple[str, str]]):
        lines = [(label, text) for label, text in details]
        width = max(len(label) for label, _ in lines)
        super().__init__("\n".join([what, *(f"  {label:<{width}}  {text}" for label, text in lines)]))


def named_input(i: int, x: Tensor) -> str:
    """ "input 1, a Parameter" """
    return f"input {i}, a Parameter" if isinstance(x, Parameter) else f"input {i}"


def is_finite(array: Array) -> bool:
    """Is it free of NaN and Inf?"""
    return bool(np.isfinite(array).all())


def describe(array: Array) -> str:
    """dtype, shape, the statistics of its finite values, and how many are NaN or Inf."""
    text = [f"{array.dtype} {array.shape}"]
    finite = array[np.isfinite(array)]
    if finite.size:
        mean = finite.mean(dtype=np.float64)  # in float32 the sum of large values might not be finite
        text.append(f"min {finite.min():.4g}  max {finite.max():.4g}  mean {mean:.4g}")
    counts = {"NaN": int(np.isnan(array).sum()), "Inf": int(np.isinf(array).sum())}
    text.extend(f"{count:,} {name}" for name, count in counts.items() if count)
    return "  ".join(text)
