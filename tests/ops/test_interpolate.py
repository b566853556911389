"""tinyres/ops/interpolate.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def interpolate(lib, x, **settings):
    return lib.nn.functional.interpolate(x, **settings)


def test_by_hand():
    x = Tensor([[[[1.0, 2.0]]]], requires_grad=True)
    y = F.interpolate(x, scale_factor=2)  # each pixel becomes 2×2
    y.backward(np.float32([[[[1, 2, 3, 4], [5, 6, 7, 8]]]]))
    assert y.data.tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]
    assert x.grad.tolist() == [[[[14, 22]]]]  # 1 + 2 + 5 + 6, 3 + 4 + 7 + 8


class TestInterpolate(OpTests):
    CASES = (
        Case(interpolate, (1, 1, 1, 1), scale_factor=1),
        Case(interpolate, (2, 1, 2, 3), scale_factor=2),
        Case(interpolate, (1, 2, 2, 1), scale_factor=(1, 3)),
        Case(interpolate, (1, 1, 3, 2), size=(5, 3)),  # not a multiple: blocks of unequal size
        Case(interpolate, (1, 1, 4, 5), size=2),  # smaller: some values are never read
    )
    MORE = tuple(Case(interpolate, (2, 3, 5, 4), size=(P, Q)) for P in range(1, 12, 2) for Q in range(1, 10, 3))
    ERRORS = (
        (
            lambda: F.interpolate(floats(3, 8, 8), scale_factor=2),
            ValueError,
            "interpolate: expected images (N, C, H, W), got (3, 8, 8)",
        ),
        (lambda: F.interpolate(floats(1, 1, 2, 2)), ValueError, "interpolate: give either size or scale_factor"),
        (
            lambda: F.interpolate(floats(1, 1, 2, 2), size=4, scale_factor=2),
            ValueError,
            "interpolate: give either size or scale_factor",
        ),
        (
            lambda: F.interpolate(floats(1, 1, 2, 2), scale_factor=1.5),
            ValueError,
            "interpolate: expected a whole number of 1 or more, or a pair of them, got (1.5, 1.5)",
        ),
        (
            lambda: F.interpolate(floats(1, 1, 2, 2), size=(4, 0)),
            ValueError,
            "interpolate: expected a whole number of 1 or more, or a pair of them, got (4, 0)",
        ),
        (
            lambda: F.interpolate(floats(1, 1, 2, 2), size=4, mode="bilinear"),
            NotImplementedError,
            "interpolate: only mode='nearest' is supported, got 'bilinear'",
        ),
        (
            lambda: F.interpolate(integers(1, 1, 2, 2), size=4),
            TypeError,
            "interpolate: expected input in floating point, got int64",
        ),
    )
