"""tinyres/ops/slice.py"""

import numpy as np
import pytest
from support import Case, OpTests, floats

from tinyres import Tensor, gradcheck


def slice_(lib, x, index):
    return x[index]


def test_by_hand():
    x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y = x[0, 1:]
    y.backward(np.float32([7, 8]))
    assert y.data.tolist() == [2, 3]
    assert x.grad.tolist() == [[0, 7, 8], [0, 0, 0]]  # gy where y was taken from, 0 elsewhere


class TestSlice(OpTests):
    CASES = tuple(
        Case(slice_, (4, 3), index=index)
        for index in (
            0,
            -1,
            (1, 2),
            np.s_[1:3],
            np.s_[::2, 1],
            np.s_[..., 0],
            np.s_[:, None],
            np.s_[4:],
            [2, 0],
            [1, 1, 1, 3],  # one row three times: its gradients add up
            ([0, 0, 2], [1, 1, 0]),
            np.s_[1:, [0, 0]],
            [True, False, False, True],
        )
    )
    ERRORS = (
        (lambda: floats(2, 3)[2], IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        (lambda: floats(2)[0, 0], IndexError, "too many indices"),
    )

    @pytest.mark.parametrize("index", [np.s_[::-1], np.s_[3:0:-2, ::-1], np.array([[0, 1], [1, 1]])], ids=str)
    def test_what_torch_cannot_do(self, index):
        x = Tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
        np.testing.assert_array_equal(x[index].data, x.data[index])
        gradcheck(lambda x: x[index], [x])

    def test_a_tensor_as_index(self):
        x = Tensor([1.0, 2.0, 3.0])
        assert x[Tensor([2, 0])].data.tolist() == [3, 1]
        assert x[Tensor([True, False, True])].data.tolist() == [1, 3]

    def test_integers_can_be_sliced(self):
        assert Tensor([1, 2, 3])[1:].data.tolist() == [2, 3]
