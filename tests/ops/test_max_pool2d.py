"""tinyres/ops/max_pool2d.py"""

import itertools

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def max_pool2d(lib, x, **settings):
    return lib.nn.functional.max_pool2d(x, **settings)


def test_by_hand():
    x = Tensor([[[[1.0, 7.0, 9.0], [5.0, 3.0, 9.0]]]], requires_grad=True)
    y = F.max_pool2d(x, 2)  # one window fits; the last column is left over
    y.backward(np.float32([[[[8]]]]))
    assert y.item() == 7
    assert x.grad.tolist() == [[[[0, 8, 0], [0, 0, 0]]]]  # all of it to the maximum


class TestMaxPool2d(OpTests):
    CASES = (
        Case(max_pool2d, (1, 1, 1, 1), kernel_size=1),
        Case(max_pool2d, (2, 2, 4, 5), kernel_size=2),
        Case(max_pool2d, (1, 2, 5, 5), kernel_size=3, stride=2, padding=1),  # overlapping: one maximum may win twice
        Case(max_pool2d, (1, 1, 6, 3), kernel_size=(3, 1), stride=(1, 2), padding=(1, 0)),
        Case(max_pool2d, (1, 1, 5, 6), kernel_size=2, stride=3, ceil_mode=True),
        Case(max_pool2d, (1, 1, 6, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True),
    )
    MORE = tuple(
        Case(max_pool2d, (2, 3, 9, 8), kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        for kernel, stride, padding, ceil_mode in itertools.product(
            (2, 3, 5, 7, (2, 3), (7, 2)), (None, 1, 2, 3, (1, 4)), (0, 1, (1, 0)), (False, True)
        )
    )
    ERRORS = (
        (
            lambda: F.max_pool2d(floats(3, 8, 8), 2),
            ValueError,
            "max_pool2d: expected images (N, C, H, W), got (3, 8, 8)",
        ),
        (
            lambda: F.max_pool2d(floats(1, 1, 8, 8), 3, padding=2),
            ValueError,
            "max_pool2d: expected padding of at most half the kernel (3, 3), got (2, 2)",
        ),
        (
            lambda: F.max_pool2d(floats(1, 1, 8, 2), 3),
            ValueError,
            "max_pool2d: a window of (3, 3) does not fit into (1, 1, 8, 2) with padding (0, 0)",
        ),
        (
            lambda: F.max_pool2d(floats(1, 1, 8, 8), 1.5),
            ValueError,
            "max_pool2d: expected kernel_size to be an int or a pair of ints, at least 1, got 1.5",
        ),
        (
            lambda: F.max_pool2d(floats(1, 1, 8, 8), (2, 2, 2)),
            ValueError,
            "max_pool2d: expected kernel_size to be an int or a pair of ints, at least 1, got (2, 2, 2)",
        ),
        (
            lambda: F.max_pool2d(integers(1, 1, 8, 8), 2),
            TypeError,
            "max_pool2d: expected input in floating point, got int64",
        ),
        (
            lambda: F.max_pool2d(floats(1, 1, 8, 8), 2, dilation=2),
            NotImplementedError,
            "max_pool2d: only dilation=1 is supported, got 2",
        ),
    )

    def test_of_equal_maxima_the_first_gets_the_gradient(self):
        x = floats(1, 1, 2, 2).requires_grad_()
        F.max_pool2d(x, 2).backward()
        assert x.grad.tolist() == [[[[1, 0], [0, 0]]]]

    def test_nan_wins(self):
        x = Tensor(np.float32([[[[1, np.nan], [np.inf, 2]]]]))
        assert np.isnan(F.max_pool2d(x, 2).item())

    def test_padding_never_wins(self):
        x = Tensor(np.full((1, 1, 2, 2), -5.0))
        assert np.all(F.max_pool2d(x, 3, stride=1, padding=1).data == -5)
