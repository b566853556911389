"""tinyres/ops/relu.py"""

import numpy as np
from support import SHAPES, Case, OpTests, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def relu(lib, x):
    return lib.nn.functional.relu(x)


def test_by_hand():
    x = Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = x.relu()  # or F.relu(x)
    y.backward(np.float32([5, 6, 7]))
    assert y.data.tolist() == [0, 0, 2]  # max(x, 0)
    assert x.grad.tolist() == [0, 0, 7]  # gy where x > 0; at the kink, x = 0, the slope is taken to be 0


class TestReLU(OpTests):
    CASES = tuple(Case(relu, shape) for shape in SHAPES)
    ERRORS = ((lambda: F.relu(integers(3)), TypeError, "relu: expected input in floating point, got int64"),)

    def test_inplace_is_accepted_and_writes_nothing(self):
        x = Tensor([-1.0, 2.0])
        assert F.relu(x, inplace=True).data.tolist() == [0, 2]
        assert x.data.tolist() == [-1, 2]

    def test_nan_stays_nan(self):
        assert np.isnan(F.relu(Tensor([np.nan])).item())
