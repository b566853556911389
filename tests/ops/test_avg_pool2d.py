"""tinyres/ops/avg_pool2d.py"""

import itertools

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def avg_pool2d(lib, x, **settings):
    return lib.nn.functional.avg_pool2d(x, **settings)


def test_by_hand():
    x = Tensor([[[[1.0, 3.0, 9.0], [5.0, 7.0, 9.0]]]], requires_grad=True)
    y = F.avg_pool2d(x, 2)  # one window fits; the last column is left over
    y.backward(np.float32([[[[8]]]]))
    assert y.item() == 4  # (1 + 3 + 5 + 7) / 4
    assert x.grad.tolist() == [[[[2, 2, 0], [2, 2, 0]]]]


class TestAvgPool2d(OpTests):
    CASES = (
        Case(avg_pool2d, (1, 1, 1, 1), kernel_size=1),
        Case(avg_pool2d, (2, 2, 4, 5), kernel_size=2),
        Case(avg_pool2d, (1, 2, 5, 5), kernel_size=3, stride=2, padding=1),
        Case(avg_pool2d, (1, 2, 5, 4), kernel_size=3, stride=2, padding=1, count_include_pad=False),
        Case(avg_pool2d, (1, 1, 6, 3), kernel_size=(3, 1), stride=(1, 2), padding=(1, 0)),
        Case(avg_pool2d, (1, 1, 5, 6), kernel_size=2, stride=3, ceil_mode=True),
        Case(avg_pool2d, (1, 1, 6, 7), kernel_size=3, stride=2, padding=1, ceil_mode=True),
    )
    MORE = tuple(
        Case(
            avg_pool2d,
            (2, 3, 9, 8),
            kernel_size=kernel,
            stride=stride,
            padding=padding,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
        )
        for kernel, stride, padding, ceil_mode, count_include_pad in itertools.product(
            (2, 3, 5, 7, (2, 3), (7, 2)), (None, 1, 2, 3, (1, 4)), (0, 1, (1, 0)), (False, True), (False, True)
        )
    )
    ERRORS = (
        (
            lambda: F.avg_pool2d(floats(3, 8, 8), 2),
            ValueError,
            "avg_pool2d: expected images (N, C, H, W), got (3, 8, 8)",
        ),
        (
            lambda: F.avg_pool2d(floats(1, 1, 8, 8), 3, padding=2),
            ValueError,
            "avg_pool2d: expected padding of at most half the kernel (3, 3), got (2, 2)",
        ),
        (
            lambda: F.avg_pool2d(floats(1, 1, 8, 2), 3),
            ValueError,
            "avg_pool2d: a window of (3, 3) does not fit into (1, 1, 8, 2) with padding (0, 0)",
        ),
        (
            lambda: F.avg_pool2d(floats(1, 1, 8, 8), 2, stride=(1, 0)),
            ValueError,
            "avg_pool2d: expected stride to be an int or a pair of ints, at least 1, got (1, 0)",
        ),
        (
            lambda: F.avg_pool2d(integers(1, 1, 8, 8), 2),
            TypeError,
            "avg_pool2d: expected input in floating point, got int64",
        ),
    )
