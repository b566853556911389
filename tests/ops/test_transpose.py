"""tinyres/ops/transpose.py"""

import itertools

import numpy as np
from support import Case, OpTests, floats

from tinyres import Tensor


def transpose(lib, x, dims):
    return x.transpose(*dims)


def permute(lib, x, dims):
    return x.permute(*dims)


def test_by_hand():
    x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y = x.transpose(0, 1)
    y.backward(np.float32([[1, 2], [3, 4], [5, 6]]))
    assert y.data.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert x.grad.tolist() == [[1, 3, 5], [2, 4, 6]]  # gy transposed back


class TestTranspose(OpTests):
    CASES = (
        Case(transpose, (2, 3), dims=(0, 1)),
        Case(transpose, (2, 1, 3), dims=(-1, 0)),
        Case(transpose, (2, 3), dims=(1, 1)),
        Case(permute, (2, 3, 4), dims=(1, 2, 0)),  # not its own inverse
        Case(permute, (2, 3, 1, 2), dims=(0, -2, -1, 1)),
    )
    MORE = tuple(Case(permute, (2, 3, 4, 5), dims=dims) for dims in itertools.permutations(range(4)))
    ERRORS = (
        (lambda: floats(2, 3).transpose(0, 2), ValueError, "transpose: expected dim from -2 to 1 for 2 axes, got 2"),
        (
            lambda: floats(2, 3).permute(0, 0),
            ValueError,
            "permute: expected each of the 2 axes of (2, 3) once, got (0, 0)",
        ),
        (lambda: floats(2, 3).permute(0), ValueError, "permute: expected each of the 2 axes of (2, 3) once, got (0,)"),
    )

    def test_dims_one_by_one_or_together(self):
        x = floats(2, 3, 4)
        assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == x.permute([2, 0, 1]).shape == (4, 2, 3)
