"""tinyres/ops/sum.py"""

import numpy as np
from support import REDUCTIONS, Case, OpTests, floats, integers

from tinyres import Tensor


def sum_(lib, x, **settings):
    return x.sum(**settings)


def test_by_hand():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.sum(dim=1)
    y.backward(np.float32([5, 6]))
    assert y.data.tolist() == [3, 7]
    assert x.grad.tolist() == [[5, 5], [6, 6]]  # each row's gy, once for every number in it


class TestSum(OpTests):
    CASES = (Case(sum_, ()), *(Case(sum_, (2, 3, 2), **settings) for settings in REDUCTIONS))
    MORE = tuple(Case(sum_, shape, **settings) for shape in ((1, 1, 1), (4, 1, 5)) for settings in REDUCTIONS)
    ERRORS = (
        (lambda: floats(2, 3).sum(2), ValueError, "sum: expected dim from -2 to 1 for 2 axes, got 2"),
        (lambda: floats(2, 3).sum((0, -3)), ValueError, "sum: expected dim from -2 to 1 for 2 axes, got -3"),
        (lambda: integers(3).sum(), TypeError, "sum: expected x in floating point, got int64"),
    )
