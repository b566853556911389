"""tinyres/ops/tanh.py"""

import numpy as np
from support import SHAPES, Case, OpTests, integers

from tinyres import Tensor


def tanh(lib, x):
    return x.tanh()


def test_by_hand():
    x = Tensor([0.0, np.log(3.0)], requires_grad=True)
    y = x.tanh()
    y.backward(np.float32([2, 25]))
    np.testing.assert_allclose(y.data, [0, 0.8], rtol=1e-6)  # (3 − 1/3) / (3 + 1/3)
    np.testing.assert_allclose(x.grad, [2, 9], rtol=1e-6)  # gy·(1 − y²)


class TestTanh(OpTests):
    CASES = tuple(Case(tanh, shape) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).tanh(), TypeError, "tanh: expected input in floating point, got int64"),)

    def test_saturates_without_overflow(self):
        x = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
        y = x.tanh()
        y.sum().backward()
        assert y.data.tolist() == [-1, 0, 1]
        assert x.grad.tolist() == [0, 1, 0]
