"""tinyres/ops/sqrt.py"""

import numpy as np
from support import SHAPES, Case, OpTests, integers, positive

from tinyres import Tensor


def sqrt(lib, x):
    return x.sqrt()


def test_by_hand():
    x = Tensor([4.0, 9.0], requires_grad=True)
    y = x.sqrt()
    y.backward(np.float32([8, 12]))
    assert y.data.tolist() == [2, 3]
    assert x.grad.tolist() == [2, 2]  # gy/(2·y)


class TestSqrt(OpTests):
    CASES = tuple(Case(sqrt, shape, draw=positive) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).sqrt(), TypeError, "sqrt: expected x in floating point, got int64"),)
