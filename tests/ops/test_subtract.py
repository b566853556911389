"""tinyres/ops/subtract.py"""

import numpy as np
from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats

from tinyres import Tensor


def subtract(lib, a, b):
    return a - b


def subtract_from_a_number(lib, x):
    return 2.5 - x - 1


def negate(lib, x):
    return -x


def test_by_hand():
    a, b = Tensor([10.0, 20.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    y = a - b  # b is used twice
    y.backward(np.float32([4, 5]))
    assert y.data.tolist() == [7, 17]
    assert a.grad.tolist() == [4, 5]
    assert b.grad.tolist() == [-9]  # −(4 + 5)


class TestSubtract(OpTests):
    CASES = (
        *(Case(subtract, *pair) for pair in BROADCASTS),
        Case(subtract_from_a_number, (2, 3)),
        Case(negate, ()),
        Case(negate, (2, 1, 3)),
    )
    MORE = tuple(Case(subtract, *pair) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) - floats(2), ValueError, "subtract: shapes (2, 3) and (2,) do not broadcast together"),
    )
