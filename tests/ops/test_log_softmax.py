"""tinyres/ops/log_softmax.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def log_softmax(lib, x, dim):
    return lib.nn.functional.log_softmax(x, dim)


def test_by_hand():
    x = Tensor([0.0, np.log(3.0)], requires_grad=True)
    y = F.log_softmax(x, 0)  # of the probabilities 1/4 and 3/4
    y.backward(np.float32([1, 0]))
    np.testing.assert_allclose(y.data, np.log([0.25, 0.75]), rtol=1e-6)
    np.testing.assert_allclose(x.grad, [0.75, -0.75], rtol=1e-6)  # gy − softmax(x)·Σ gy


class TestLogSoftmax(OpTests):
    CASES = (
        Case(log_softmax, (4,), dim=0),
        Case(log_softmax, (2, 3), dim=1),
        Case(log_softmax, (2, 3), dim=0),
        Case(log_softmax, (3, 1), dim=1),
        Case(log_softmax, (2, 3, 2), dim=-2),
    )
    MORE = tuple(Case(log_softmax, (2, 5, 1, 7), dim=dim) for dim in range(-4, 4))
    ERRORS = (
        (
            lambda: F.log_softmax(floats(2, 0), 1),
            ValueError,
            "log_softmax: expected at least one score along dim 1, got (2, 0)",
        ),
        (lambda: F.log_softmax(floats(2), -2), ValueError, "log_softmax: expected dim from -1 to 0 for 1 axes, got -2"),
        (lambda: F.log_softmax(integers(2), 0), TypeError, "log_softmax: expected input in floating point, got int64"),
    )

    def test_exact_where_the_probability_underflows(self):
        y = F.log_softmax(Tensor([[-1000.0, 0.0]]), 1)
        np.testing.assert_array_equal(y.data, [[-1000, 0]])
