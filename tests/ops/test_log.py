"""tinyres/ops/log.py"""

import numpy as np
from support import SHAPES, Case, OpTests, integers, positive

from tinyres import Tensor


def log(lib, x):
    return x.log()


def test_by_hand():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x.log()
    y.backward(np.float32([3, 8]))
    np.testing.assert_allclose(y.data, [0, 0.6931472], rtol=1e-6)
    assert x.grad.tolist() == [3, 4]  # gy/x


class TestLog(OpTests):
    CASES = tuple(Case(log, shape, draw=positive) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).log(), TypeError, "log: expected x in floating point, got int64"),)
