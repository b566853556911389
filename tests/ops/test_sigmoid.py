"""tinyres/ops/sigmoid.py"""

import numpy as np
from support import SHAPES, Case, OpTests, integers

from tinyres import Tensor


def sigmoid(lib, x):
    return x.sigmoid()


def test_by_hand():
    x = Tensor([0.0, np.log(3.0)], requires_grad=True)
    y = x.sigmoid()
    y.backward(np.float32([4, 16]))
    np.testing.assert_allclose(y.data, [0.5, 0.75], rtol=1e-6)  # 1/(1 + 1), 1/(1 + 1/3)
    np.testing.assert_allclose(x.grad, [1, 3], rtol=1e-6)  # gy·y·(1 − y)


class TestSigmoid(OpTests):
    CASES = tuple(Case(sigmoid, shape) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).sigmoid(), TypeError, "sigmoid: expected input in floating point, got int64"),)

    def test_saturates_without_overflow_and_is_steepest_at_zero(self):
        x = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
        y = x.sigmoid()
        y.sum().backward()
        assert y.data.tolist() == [0, 0.5, 1]
        assert x.grad.tolist() == [0, 0.25, 0]
