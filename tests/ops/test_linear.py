"""tinyres/ops/linear.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def linear(lib, x, weight, bias=None):
    return lib.nn.functional.linear(x, weight, bias)


def test_by_hand():
    x, w = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([[3.0, 4.0]], requires_grad=True)
    b = Tensor([5.0], requires_grad=True)
    y = F.linear(x, w, b)
    y.backward(np.float32([[10]]))
    assert y.data.tolist() == [[16]]  # 1·3 + 2·4 + 5
    assert x.grad.tolist() == [[30, 40]]  # gy·w
    assert w.grad.tolist() == [[10, 20]]  # gy·x
    assert b.grad.tolist() == [10]


class TestLinear(OpTests):
    CASES = (
        Case(linear, (2, 3), (4, 3)),
        Case(linear, (2, 3), (4, 3), (4,)),
        Case(linear, (1, 1), (1, 1), (1,)),
        Case(linear, (3,), (2, 3), (2,)),
        Case(linear, (2, 1, 2, 3), (2, 3), (2,)),
        Case(linear, (0, 3), (2, 3), (2,)),
    )
    MORE = tuple(Case(linear, (*n, i), (o, i), (o,)) for n in ((), (5,), (2, 3)) for i in (1, 4, 7) for o in (1, 6))
    ERRORS = (
        (lambda: F.linear(floats(2, 3), floats(4, 5)), ValueError, "linear: expected input (N, 5), got (2, 3)"),
        (
            lambda: F.linear(floats(2, 16, 1, 1), floats(10, 16)),
            ValueError,
            "linear: expected input (N, 16), got (2, 16, 1, 1); flatten first",
        ),
        (lambda: F.linear(floats(2, 3), floats(3)), ValueError, "linear: expected weight (O, I), got (3,)"),
        (
            lambda: F.linear(floats(2, 3), floats(4, 3), floats(3)),
            ValueError,
            "linear: expected bias (4,), got (3,)",
        ),
        (
            lambda: F.linear(integers(2, 3), floats(4, 3)),
            TypeError,
            "linear: expected input in floating point, got int64",
        ),
        (
            lambda: F.linear(floats(2, 3, dtype="float64"), floats(4, 3)),
            TypeError,
            "linear: expected one dtype, got input float64, weight float32",
        ),
    )

    def test_no_features(self):
        x, w = floats(2, 0).requires_grad_(), floats(3, 0).requires_grad_()
        F.linear(x, w).sum().backward()
        assert (x.grad.shape, w.grad.shape) == ((2, 0), (3, 0))
