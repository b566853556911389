"""tinyres/ops/divide.py"""

import numpy as np
from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats, positive

from tinyres import Tensor


def divide(lib, a, b):
    return a / b


def divide_a_number(lib, x):
    return 2.5 / x / 4


def test_by_hand():
    a, b = Tensor([6.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    y = a / b
    y.backward(np.float32([4]))
    assert y.data.tolist() == [3]
    assert a.grad.tolist() == [2]  # gy/b
    assert b.grad.tolist() == [-6]  # −gy·a/b²


class TestDivide(OpTests):
    CASES = (
        *(Case(divide, *pair, draw=positive) for pair in BROADCASTS),
        Case(divide_a_number, (2, 3), draw=positive),
    )
    MORE = tuple(Case(divide, *pair, draw=positive) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) / floats(2), ValueError, "divide: shapes (2, 3) and (2,) do not broadcast together"),
    )

    def test_integers_divide_in_float32(self):
        y = Tensor([1, 2]) / Tensor([2, 4])
        assert y.dtype == "float32"
        assert y.data.tolist() == [0.5, 0.5]
