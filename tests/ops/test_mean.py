"""tinyres/ops/mean.py"""

import numpy as np
from support import REDUCTIONS, Case, OpTests, floats, integers

from tinyres import Tensor


def mean(lib, x, **settings):
    return x.mean(**settings)


def test_by_hand():
    x = Tensor([[1.0, 3.0], [5.0, 9.0]], requires_grad=True)
    y = x.mean(dim=1)
    y.backward(np.float32([4, 6]))
    assert y.data.tolist() == [2, 7]
    assert x.grad.tolist() == [[2, 2], [3, 3]]  # each of two has half of gy


class TestMean(OpTests):
    CASES = (Case(mean, ()), *(Case(mean, (2, 3, 2), **settings) for settings in REDUCTIONS))
    MORE = tuple(Case(mean, shape, **settings) for shape in ((1, 1, 1), (4, 1, 5)) for settings in REDUCTIONS)
    ERRORS = (
        (lambda: floats(2, 3).mean(2), ValueError, "mean: expected dim from -2 to 1 for 2 axes, got 2"),
        (lambda: floats(2, 0).mean(1), ValueError, "mean: nothing to average over axes (1,) of shape (2, 0)"),
        (lambda: integers(3).mean(), TypeError, "mean: expected x in floating point, got int64"),
    )
