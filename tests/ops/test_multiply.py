"""tinyres/ops/multiply.py"""

import numpy as np
from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats

from tinyres import Tensor


def multiply(lib, a, b):
    return a * b


def multiply_by_a_number(lib, x):
    return 2 * x * 0.5 * -3


def square(lib, x):
    return x * x


def test_by_hand():
    a, b = Tensor([2.0, 3.0], requires_grad=True), Tensor([10.0], requires_grad=True)
    y = a * b  # b is used twice
    y.backward(np.float32([4, 5]))
    assert y.data.tolist() == [20, 30]
    assert a.grad.tolist() == [40, 50]  # gy·b
    assert b.grad.tolist() == [23]  # Σ gy·a = 4·2 + 5·3


class TestMultiply(OpTests):
    CASES = (
        *(Case(multiply, *pair) for pair in BROADCASTS),
        Case(multiply_by_a_number, (2, 3)),
        Case(square, (2, 1, 3)),
    )
    MORE = tuple(Case(multiply, *pair) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) * floats(2), ValueError, "multiply: shapes (2, 3) and (2,) do not broadcast together"),
    )

    def test_only_what_a_gradient_needs_is_saved(self):
        x, constant = Tensor([2.0], requires_grad=True), Tensor([3.0])
        assert [saved is None for saved in (x * constant).op.saved] == [True, False]
        assert [saved is None for saved in (x * x).op.saved] == [False, False]
