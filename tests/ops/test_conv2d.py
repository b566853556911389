"""tinyres/ops/conv2d.py"""

import itertools

import numpy as np
import pytest
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def conv2d(lib, x, weight, bias=None, **settings):
    return lib.nn.functional.conv2d(x, weight, bias, **settings)


def test_by_hand():
    x = Tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], requires_grad=True)  # one image of 2×3 pixels
    w = Tensor([[[[1.0, 0.0], [0.0, 10.0]]]], requires_grad=True)  # a kernel of 2×2
    y = F.conv2d(x, w)
    y.backward(np.float32([[[[1, 2]]]]))
    assert y.data.tolist() == [[[[51, 62]]]]  # 1·1 + 10·5, then one step to the right: 1·2 + 10·6
    assert x.grad.tolist() == [[[[1, 2, 0], [0, 10, 20]]]]  # gy times the weight that met the pixel
    assert w.grad.tolist() == [[[[5, 8], [14, 17]]]]  # 1·1 + 2·2, 1·2 + 2·3; 1·4 + 2·5, 1·5 + 2·6


class TestConv2d(OpTests):
    CASES = (
        Case(conv2d, (1, 1, 1, 1), (1, 1, 1, 1)),
        Case(conv2d, (2, 3, 4, 3), (2, 3, 1, 1), (2,)),
        Case(conv2d, (2, 2, 5, 4), (3, 2, 3, 3), (3,), padding=1),
        Case(conv2d, (1, 2, 5, 6), (2, 2, 3, 3), stride=2, padding=1),
        Case(conv2d, (1, 1, 7, 5), (1, 1, 2, 3), (1,), stride=(3, 1), padding=(0, 2)),
        Case(conv2d, (1, 1, 2, 3), (2, 1, 5, 1), padding=(2, 0)),
        Case(conv2d, (1, 1, 4, 4), (1, 1, 1, 2), stride=3),  # some inputs are never read
        Case(conv2d, (1, 2, 1, 1), (1, 2, 2, 2), padding=3),  # some windows see nothing but padding
    )
    MORE = tuple(
        Case(conv2d, (2, 3, 9, 8), (4, 3, *kernel), (4,), stride=stride, padding=padding)
        for kernel, stride, padding in itertools.product(
            ((1, 1), (2, 2), (3, 3), (5, 5), (7, 7), (1, 3), (3, 2), (7, 1)),
            (1, 2, 3, (1, 2), (3, 2)),
            (0, 1, 2, 3, (1, 0), (0, 4)),
        )
    )
    ERRORS = (
        (
            lambda: F.conv2d(floats(3, 8, 8), floats(4, 3, 3, 3)),
            ValueError,
            "conv2d: expected images (N, C, H, W), got ",
        ),
        (
            lambda: F.conv2d(floats(2, 1, 8, 8), floats(4, 3, 3, 3)),
            ValueError,
            "conv2d: expected input (N, 3, H, W) for weight (4, 3, 3, 3), got (2, 1, 8, 8)",
        ),
        (
            lambda: F.conv2d(floats(2, 3, 8, 8), floats(4, 3)),
            ValueError,
            "conv2d: expected weight (O, C, KH, KW), got (4, 3)",
        ),
        (
            lambda: F.conv2d(floats(2, 3, 8, 8), floats(4, 3, 3, 3), floats(3)),
            ValueError,
            "conv2d: expected bias (4,), got (3,)",
        ),
        (
            lambda: F.conv2d(floats(2, 3, 2, 8), floats(4, 3, 5, 5), padding=1),
            ValueError,
            "conv2d: a kernel of (5, 5) does not fit into (2, 3, 2, 8) with padding (1, 1)",
        ),
        (
            lambda: F.conv2d(integers(2, 3, 8, 8), floats(4, 3, 3, 3)),
            TypeError,
            "conv2d: expected input in floating point, got int64",
        ),
        (
            lambda: F.conv2d(floats(2, 3, 8, 8), floats(4, 3, 3, 3, dtype="float64")),
            TypeError,
            "conv2d: expected one dtype, got input float32, weight float64; use model.to(dtype=...) or x.to(dtype=...)",
        ),
        (
            lambda: F.conv2d(floats(2, 3, 8, 8), floats(4, 3, 3, 3), stride=0),
            ValueError,
            "conv2d: expected stride to be an int or a pair of ints, at least 1, got 0",
        ),
        (
            lambda: F.conv2d(floats(2, 3, 8, 8), floats(4, 3, 3, 3), padding=-1),
            ValueError,
            "conv2d: expected padding to be an int or a pair of ints, at least 0, got -1",
        ),
        (
            lambda: F.conv2d(floats(2, 4, 8, 8), floats(4, 2, 3, 3), groups=2),
            NotImplementedError,
            "conv2d: only dilation=1 and groups=1 are supported, got 1 and 2",
        ),
    )

    @pytest.mark.parametrize("rung", ["reference", "array", "cpu"])
    def test_an_empty_batch(self, rung, monkeypatch):
        monkeypatch.setenv("TINYRES_KERNELS", rung)
        x, w = floats(0, 3, 5, 5).requires_grad_(), floats(2, 3, 3, 3).requires_grad_()
        F.conv2d(x, w).sum().backward()
        assert x.grad.shape == (0, 3, 5, 5)
        assert not w.grad.any()
