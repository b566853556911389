"""tinyres/ops/adaptive_avg_pool2d.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def adaptive_avg_pool2d(lib, x, output_size):
    return lib.nn.functional.adaptive_avg_pool2d(x, output_size)


def test_by_hand():
    x = Tensor([[[[1.0, 3.0], [5.0, 7.0]]]], requires_grad=True)
    y = F.adaptive_avg_pool2d(x, 1)
    y.backward(np.float32([[[[8]]]]))
    assert y.item() == 4  # (1 + 3 + 5 + 7) / 4
    assert x.grad.tolist() == [[[[2, 2], [2, 2]]]]  # each has a quarter of 8


class TestAdaptiveAvgPool2d(OpTests):
    CASES = (
        Case(adaptive_avg_pool2d, (2, 3, 4, 3), output_size=1),
        Case(adaptive_avg_pool2d, (1, 2, 5, 3), output_size=(2, 2)),  # overlapping windows
        Case(adaptive_avg_pool2d, (1, 1, 4, 3), output_size=(None, 2)),
        Case(adaptive_avg_pool2d, (1, 1, 2, 3), output_size=(5, 4)),  # larger than the input
        Case(adaptive_avg_pool2d, (1, 1, 1, 1), output_size=1),
    )
    MORE = (
        *(Case(adaptive_avg_pool2d, (2, 3, 8, 7), output_size=(P, Q)) for P in range(1, 11) for Q in range(1, 10)),
        Case(adaptive_avg_pool2d, (2, 3, 8, 7), output_size=(3, None)),
    )
    ERRORS = (
        (
            lambda: F.adaptive_avg_pool2d(floats(3, 8, 8), 1),
            ValueError,
            "adaptive_avg_pool2d: expected images (N, C, H, W), got (3, 8, 8)",
        ),
        (
            lambda: F.adaptive_avg_pool2d(floats(1, 3, 8, 8), (2, 0)),
            ValueError,
            "adaptive_avg_pool2d: expected sizes of 1 or more, got input (1, 3, 8, 8), output (2, 0)",
        ),
        (
            lambda: F.adaptive_avg_pool2d(floats(1, 3, 0, 8), 1),
            ValueError,
            "adaptive_avg_pool2d: expected sizes of 1 or more, got input (1, 3, 0, 8), output 1",
        ),
        (
            lambda: F.adaptive_avg_pool2d(integers(1, 3, 8, 8), 1),
            TypeError,
            "adaptive_avg_pool2d: expected input in floating point, got int64",
        ),
    )

    def test_none_keeps_an_axis(self):
        x = floats(1, 3, 8, 7)
        assert F.adaptive_avg_pool2d(x, (3, None)).shape == (1, 3, 3, 7)
        assert F.adaptive_avg_pool2d(x, (None, 3)).shape == (1, 3, 8, 3)
