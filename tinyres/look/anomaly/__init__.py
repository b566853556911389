"""Finds the op that made the first NaN or Inf, and saved arrays that were changed before backward used them.

    >>> import tinyres
    >>> x = tinyres.tensor([4.0, 0.0], requires_grad=True)
    >>> with tinyres.detect_anomaly():
    ...     x.sqrt().sum().backward()
    Traceback (most recent call last):
        ...
    tinyres.look.anomaly.report.AnomalyError: backward of Sqrt: the first NaN or Inf began here
      why         the slope of √x at x = 0 is infinite; 1 of 2 values are 0
      when        backward 1 since detect_anomaly began
      line        <doctest tinyres.look.anomaly[2]>:2  x.sqrt().sum().backward()
      gy          float32 (2,)  min 1  max 1  mean 1
      gradient 0  float32 (2,)  min 0.25  max 0.25  mean 0.25  1 Inf

non_finite.py and saved_arrays.py are the two observers; causes.py finds the "why", origin.py the "line".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinyres.look.anomaly.non_finite import NonFinite
from tinyres.look.anomaly.report import AnomalyError as AnomalyError
from tinyres.look.anomaly.saved_arrays import SavedArrays
from tinyres.modes import observe


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Inside the block, the first NaN or Inf in forward or backward raises AnomalyError. So does a saved array that was
    changed before its op's backward ran.

    The error names the op, the line of the program that called it, its layer, the step, and its inputs and outputs. It
    knows the lines of ops that were applied inside the block only, so put forward and backward into the same block. The
    results are the same bit for bit, but every array is read several times: use it to find a fault, not to train. It
    watches this thread only, and silences NumPy's own warnings.
    """
    with np.errstate(all="ignore"), observe(SavedArrays()), observe(NonFinite()):
        yield
