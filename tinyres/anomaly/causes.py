"""Why finite numbers became NaN or Inf: said of the few ops that have a reason of their own, guessed for the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyres.anomaly.saved_arrays import arrays_of
from tinyres.autograd import Array, Op
from tinyres.ops.divide import Divide
from tinyres.ops.exp import Exp
from tinyres.ops.log import Log
from tinyres.ops.power import Power
from tinyres.ops.sqrt import Sqrt


def forward_cause(op: Op, inputs: Sequence[Array]) -> str:
    """op.forward took these, all finite."""
    x = inputs[0]
    match op:
        case Exp():
            return f"overflow: e^{x.max():.4g} is beyond {limit(x)}"
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
    return _guess(inputs)


def backward_cause(op: Op, gy: Array) -> str:
    """op.backward took gy, which is finite."""
    match op:
        case Sqrt() if (op.saved[0] == 0).any():
            return f"the slope of √x at x = 0 is infinite; {some(op.saved[0] == 0)} are 0"
        case Power() if 0 < op.exponent < 1 and (op.saved[0] == 0).any():
            return f"the slope of x^{op.exponent:g} at x = 0 is infinite; {some(op.saved[0] == 0)} are 0"
    return _guess([gy, *(array for _, array in arrays_of(op))])


def _guess(arrays: Sequence[Array]) -> str:
    """For an op that was given these, all finite: too large a number on the way, if some are so large already."""
    floats = [array for array in arrays if array.dtype.kind == "f" and array.size]
    beyond = f"went beyond {limit(floats[0])}"
    largest = max(float(abs(array).max()) for array in floats)
    if largest > math.sqrt(np.finfo(floats[0].dtype).max):  # its square would be too large
        return f"overflow: with numbers up to {largest:.2g}, a value on the way {beyond}"
    return f"what it was given is finite, so a value on the way {beyond}, or was divided by 0"


def limit(x: Array) -> str:
    return f"{np.finfo(x.dtype).max:.2g}, the largest {x.dtype}"


def some(chosen: Array) -> str:
    """ "2 of 10 values" """
    return f"{int(chosen.sum()):,} of {chosen.size:,} values"
