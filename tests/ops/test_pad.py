"""tinyres/ops/pad.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def pad(lib, x, **settings):
    return lib.nn.functional.pad(x, **settings)


def test_by_hand():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = F.pad(x, (1, 2), value=9.0)
    y.backward(np.float32([3, 4, 5, 6, 7]))
    assert y.data.tolist() == [9, 1, 2, 9, 9]
    assert x.grad.tolist() == [4, 5]  # gy where x is


class TestPad(OpTests):
    CASES = (
        Case(pad, (3,), pad=(1, 2)),
        Case(pad, (2, 3), pad=(0, 1), value=2.5),
        Case(pad, (2, 3), pad=(1, 0, 2, 1)),
        Case(pad, (1, 2, 2, 2), pad=(0, 0, 0, 0, 0, 2)),  # shortcut option A: more channels
        Case(pad, (2, 1, 2), pad=(0, 0)),
    )
    MORE = tuple(
        Case(pad, (2, 1, 4, 3), pad=(*last, *third, *second), value=value)
        for last in ((0, 0), (2, 1))
        for third in ((0, 0), (0, 3), (1, 1))
        for second in ((), (0, 2))
        for value in (0.0, -1.5)
    )
    ERRORS = (
        (lambda: F.pad(floats(3), (1, 2, 3)), ValueError, "pad: expected pairs of widths, 0 or more, for up to 1 axes"),
        (lambda: F.pad(floats(3), (1, 1, 1, 1)), ValueError, "pad: expected pairs of widths, 0 or more, for up to 1 "),
        (
            lambda: F.pad(floats(3), (-1, 0)),
            ValueError,
            "pad: expected pairs of widths, 0 or more, for up to 1 axes, g",
        ),
        (
            lambda: F.pad(floats(3), (1, 1), "reflect"),
            ValueError,
            "pad: only mode='constant' is supported, got 'reflect'",
        ),
        (lambda: F.pad(integers(3), (1, 1)), TypeError, "pad: expected input in floating point, got int64"),
    )
