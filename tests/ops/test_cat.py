"""tinyres/ops/cat.py"""

import numpy as np
from support import Case, OpTests, floats, integers

import tinyres
from tinyres import Tensor


def cat(lib, *tensors, **settings):
    return lib.cat(tensors, **settings)


def test_by_hand():
    a, b = Tensor([1.0], requires_grad=True), Tensor([2.0, 3.0], requires_grad=True)
    y = tinyres.cat([a, b])
    y.backward(np.float32([4, 5, 6]))
    assert y.data.tolist() == [1, 2, 3]
    assert a.grad.tolist() == [4] and b.grad.tolist() == [5, 6]  # gy, cut where y was joined


class TestCat(OpTests):
    CASES = (
        Case(cat, (2, 3)),
        Case(cat, (2, 3), (1, 3)),
        Case(cat, (2, 1), (2, 3), (2, 2), dim=1),
        Case(cat, (2, 1, 2), (2, 3, 2), dim=-2),
        Case(cat, (2, 0), (2, 2), dim=1),
    )
    MORE = tuple(Case(cat, *[(2, 3, 4, 5)] * count, dim=dim) for count in (1, 2, 4) for dim in range(-4, 4))
    ERRORS = (
        (lambda: tinyres.cat([]), ValueError, "cat: expected at least one tensor, got none"),
        (
            lambda: tinyres.cat([floats(2, 3), floats(2, 4)]),
            ValueError,
            "cat: shapes may differ in axis 0 only, got (2, 3), (2, 4)",
        ),
        (
            lambda: tinyres.cat([floats(2), floats(2, 1)]),
            ValueError,
            "cat: shapes may differ in axis 0 only, got (2,), ",
        ),
        (lambda: tinyres.cat([floats(2)], dim=1), ValueError, "cat: expected dim from -1 to 0 for 1 axes, got 1"),
        (lambda: tinyres.cat([integers(2)]), TypeError, "cat: expected tensors[0] in floating point, got int64"),
        (
            lambda: tinyres.cat([floats(2), floats(2, dtype="float64")]),
            TypeError,
            "cat: expected one dtype, got tensors[0] float32, tensors[1] float64",
        ),
    )

    def test_one_tensor_twice(self):
        x = tinyres.Tensor([1.0, 2.0], requires_grad=True)
        tinyres.cat([x, x]).backward([1, 2, 30, 40])
        assert x.grad.tolist() == [31, 42]
