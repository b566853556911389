"""tinyres/ops/softmax.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def softmax(lib, x, dim):
    return lib.nn.functional.softmax(x, dim)


def test_by_hand():
    x = Tensor([0.0, np.log(3.0)], requires_grad=True)
    y = F.softmax(x, 0)
    y.backward(np.float32([16, 0]))
    np.testing.assert_allclose(y.data, [0.25, 0.75], rtol=1e-6)  # 1/(1 + 3), 3/(1 + 3)
    np.testing.assert_allclose(x.grad, [3, -3], rtol=1e-6)  # y·(gy − Σ gy·y), where Σ gy·y = 4


class TestSoftmax(OpTests):
    CASES = (
        Case(softmax, (4,), dim=0),
        Case(softmax, (2, 3), dim=1),
        Case(softmax, (2, 3), dim=0),
        Case(softmax, (3, 1), dim=1),
        Case(softmax, (2, 3, 2), dim=-2),
    )
    MORE = tuple(Case(softmax, (2, 5, 1, 7), dim=dim) for dim in range(-4, 4))
    ERRORS = (
        (
            lambda: F.softmax(floats(2, 0), 1),
            ValueError,
            "softmax: expected at least one score along dim 1, got (2, 0)",
        ),
        (lambda: F.softmax(floats(2, 3), 2), ValueError, "softmax: expected dim from -2 to 1 for 2 axes, got 2"),
        (lambda: F.softmax(integers(2, 3), 1), TypeError, "softmax: expected input in floating point, got int64"),
    )

    def test_large_scores_do_not_overflow(self):
        y = F.softmax(Tensor([[1000.0, 1000.0], [-1000.0, 0.0]]), 1)
        np.testing.assert_array_equal(y.data, [[0.5, 0.5], [0, 1]])
