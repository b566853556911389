"""Why finite numbers became NaN or Inf: known for a few ops, guessed for the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyres.autograd import Array, Op
from tinyres.look.anomaly.report import is_finite
from tinyres.look.anomaly.saved_arrays import arrays_of
from tinyres.ops.divide import Divide
from tinyres.ops.exp import Exp
from tinyres.ops.log import Log
from tinyres.ops.power import Power
from tinyres.ops.sqrt import Sqrt


def forward_cause(op: Op, inputs: Sequence[Array], y: Array) -> str:
    """Why op.forward made y of these inputs, which are all finite."""
    x = inputs[0] if inputs else y
    match op:
        case Exp():
            return f"overflow: e^{x.max():.4g} is beyond {limit(x.dtype)}"
        case Log() if (x <= 0).any():
            return f"the logarithm of 0 is −Inf, of a negative number NaN; {some(x <= 0)} are 0 or negative"
        case Sqrt() if (x < 0).any():
            return f"the root of a negative number is NaN; {some(x < 0)} are negative"
        case Divide() if (inputs[1] == 0).any():
            return f"division by 0; {some(inputs[1] == 0)} of input 1 are 0"
        case Power() if op.exponent < 0 and (x == 0).any():
            return f"0 to the power of {op.exponent:g} is a division by 0; {some(x == 0)} are 0"
        case Power() if not op.exponent.is_integer() and (x < 0).any():
            return f"a negative number to the power of {op.exponent:g} is NaN; {some(x < 0)} are negative"
    return _guess(inputs, y.dtype)


def backward_cause(op: Op, gy: Array) -> str:
    """Why op.backward made a NaN or Inf of gy, which is finite."""
    match op:
        case Sqrt() if (op.saved[0] == 0).any():
            return f"the slope of √x at x = 0 is infinite; {some(op.saved[0] == 0)} are 0"
        case Power() if 0 < op.exponent < 1 and (op.saved[0] == 0).any():
            return f"the slope of x^{op.exponent:g} at x = 0 is infinite; {some(op.saved[0] == 0)} are 0"
    kept = dict(arrays_of(op))
    broken = [name for name, array in kept.items() if not is_finite(array)]
    if broken:
        return f"forward left NaN or Inf in {', '.join(broken)}, but not in its output"
    return _guess([gy, *kept.values()], gy.dtype)


def _guess(arrays: Sequence[Array], dtype: np.dtype) -> str:
    """For an op with these finite inputs: an intermediate value overflowed, if some inputs are already very large."""
    beyond = f"an intermediate value exceeded {limit(dtype)}"
    largest = max((float(abs(array).max()) for array in arrays if array.dtype.kind == "f"), default=0.0)
    if largest > math.sqrt(np.finfo(dtype).max):  # its square would be too large
        return f"overflow: with numbers up to {largest:.2g}, {beyond}"
    return f"its inputs are finite, so {beyond}, or was divided by 0"


def limit(dtype: np.dtype) -> str:
    return f"{np.finfo(dtype).max:.2g}, the largest {dtype}"


def some(chosen: Array) -> str:
    """ "2 of 10 values" """
    return f"{int(chosen.sum()):,} of {chosen.size:,} values"
