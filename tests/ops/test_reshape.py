"""tinyres/ops/reshape.py"""

import numpy as np
import pytest
from support import Case, OpTests, floats

import tinyres
from tinyres import Tensor


def reshape(lib, x, shape):
    return x.reshape(shape)


def flatten(lib, x, **settings):
    return lib.flatten(x, **settings)


def test_by_hand():
    x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y = x.reshape(3, 2)
    y.backward(np.float32([[1, 2], [3, 4], [5, 6]]))
    assert y.data.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert x.grad.tolist() == [[1, 2, 3], [4, 5, 6]]  # gy in x's shape


class TestReshape(OpTests):
    CASES = (
        Case(reshape, (2, 3), shape=(3, 2)),
        Case(reshape, (2, 3), shape=(-1,)),
        Case(reshape, (), shape=(1, 1)),
        Case(reshape, (1,), shape=()),
        Case(reshape, (2, 3, 2), shape=(2, -1)),
        Case(flatten, (2, 3, 2)),
        Case(flatten, (2, 1, 3, 2), start_dim=1),
        Case(flatten, (2, 3, 1, 2), start_dim=-3, end_dim=2),
        Case(flatten, ()),
    )
    ERRORS = (
        (lambda: floats(2, 3).reshape(4, 2), ValueError, "reshape: cannot view (2, 3), 6 values, as (4, 2)"),
        (lambda: floats(2, 3).reshape(-1, 4), ValueError, "reshape: cannot view (2, 3), 6 values, as (-1, 4)"),
        (lambda: floats(2, 3).reshape(-1, -1), ValueError, "reshape: cannot view (2, 3), 6 values, as (-1, -1)"),
        (lambda: floats(2, 3).reshape(-2, -3), ValueError, "reshape: cannot view (2, 3), 6 values, as (-2, -3)"),
        (lambda: floats(0, 3).reshape(-1, 0), ValueError, "reshape: cannot view (0, 3), 0 values, as (-1, 0)"),
        (
            lambda: tinyres.flatten(floats(2, 3), 1, 0),
            ValueError,
            "flatten: expected start_dim before end_dim, got 1 and 0 for (2, 3)",
        ),
        (lambda: tinyres.flatten(floats(2), 1), ValueError, "flatten: expected dim from -1 to 0 for 1 axes, got 1"),
    )

    @pytest.mark.parametrize("shape", [(3, 2), (-1, 2)])
    def test_lengths_one_by_one_or_together(self, shape):
        x = floats(2, 3)
        assert x.reshape(*shape).shape == x.reshape(shape).shape == x.view(list(shape)).shape == (3, 2)
