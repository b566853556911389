"""Finding where it went wrong: the op that made the first NaN or Inf, and arrays that were changed under an op's feet.

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

Where to read: non_finite.py and saved_arrays.py, the two watchers; causes.py has the "why", origin.py the "line".
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
    """Inside, this thread's first NaN or Inf, forward or backward, raises AnomalyError, and so does a saved array
    that was changed before its op's backward ran.

    The error names the op, the line that asked for it, its place in the model, the step, and what went in and came
    out. It knows the lines of those ops only that were applied inside: put forward and backward into the same block.
    Results are bit for bit those without it, but it reads every array several times: for finding a fault, not for
    training. NumPy's own warnings are silent inside.
    """
    with np.errstate(all="ignore"), observe(SavedArrays()), observe(NonFinite()):
        yield
