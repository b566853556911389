"""tinyres/ops/exp.py"""

import numpy as np
from support import SHAPES, Case, OpTests, integers

from tinyres import Tensor


def exp(lib, x):
    return x.exp()


def test_by_hand():
    x = Tensor([0.0, np.log(2.0)], requires_grad=True)
    y = x.exp()
    y.backward(np.float32([3, 5]))
    np.testing.assert_allclose(y.data, [1, 2], rtol=1e-6)
    np.testing.assert_allclose(x.grad, [3, 10], rtol=1e-6)  # gy·y


class TestExp(OpTests):
    CASES = tuple(Case(exp, shape) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).exp(), TypeError, "exp: expected x in floating point, got int64"),)
