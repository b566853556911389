"""tinyres/ops/add.py"""

import numpy as np
from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats

from tinyres import Tensor


def add(lib, a, b):
    return a + b


def add_a_number(lib, x):
    return 2.5 + (x + 1)


def test_by_hand():
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([10.0], requires_grad=True)
    y = a + b  # b is used twice
    y.backward(np.float32([3, 4]))
    assert y.data.tolist() == [11, 12]
    assert a.grad.tolist() == [3, 4]
    assert b.grad.tolist() == [7]  # 3 + 4: one for each use


class TestAdd(OpTests):
    CASES = (*(Case(add, a, b) for a, b in BROADCASTS), Case(add_a_number, (2, 3)))
    MORE = tuple(Case(add, *pair) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) + floats(4), ValueError, "add: shapes (2, 3) and (4,) do not broadcast together"),
        (lambda: floats(3) + "x", TypeError, "expected numbers, got str"),
    )

    def test_a_residual_connection_hands_the_gradient_on_unchanged(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        (x * 0.0 + x).backward(np.float32([3, 4]))
        np.testing.assert_array_equal(x.grad, [3, 4])
