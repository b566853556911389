"""tinyres/ops/broadcast.py: what numbers and integer tensors become beside a float tensor; summing back."""

import numpy as np
import pytest

from tinyres import Tensor
from tinyres.autograd import Input, Node
from tinyres.ops.broadcast import as_operands, sum_to


def test_by_hand():
    row, column = Tensor([1.0, 2.0, 3.0], requires_grad=True), Tensor([[10.0], [20.0]], requires_grad=True)
    y = row + column
    y.backward(np.float32([[1, 2, 3], [4, 5, 6]]))
    assert y.data.tolist() == [[11, 12, 13], [21, 22, 23]]
    assert row.grad.tolist() == [5, 7, 9]  # used in both rows: 1 + 4, 2 + 5, 3 + 6
    assert column.grad.tolist() == [[6], [15]]  # used in three columns: 1 + 2 + 3, 4 + 5 + 6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5)], ids=repr)
def test_a_number_takes_the_tensors_dtype(number, dtype):
    x = Tensor(np.ones(3, dtype))
    assert {t.dtype for t in as_operands("add", x, number) + as_operands("add", number, x)} == {np.dtype(dtype)}


@pytest.mark.parametrize("integers", [Tensor([1, 2, 3]), np.array([1, 2, 3]), np.int64(2)], ids=repr)
def test_integers_take_the_float_tensors_dtype(integers):
    x = Tensor([1.0, 2.0, 3.0])
    assert (x * integers).dtype == (integers * x).dtype == np.float32


def test_integers_among_themselves_stay_integers():
    assert (Tensor([1, 2]) + Tensor([3, 4])).dtype == np.int64
    assert (Tensor([1, 2]) * 3).dtype == np.int64


def test_an_integer_tensor_and_a_fraction_make_a_float():
    y = Tensor([1, 2]) + 0.5
    assert y.data.tolist() == [1.5, 2.5]


def test_each_input_gets_its_own_dtype_back():
    single, double = Tensor(np.ones(2, np.float32), True), Tensor(np.ones(2, np.float64), True)
    y = single * double
    y.sum().backward()
    assert (y.dtype, single.grad.dtype, double.grad.dtype) == (np.float64, np.float32, np.float64)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 4), (3, 1), (3, 4), (1, 1, 1), (2, 1, 4), (2, 3, 4)], ids=str)
def test_sum_to_is_the_adjoint_of_repeating(shape):
    """⟨repeat(x), gy⟩ = ⟨x, sum_to(gy)⟩"""
    rng = np.random.default_rng(0)
    x, gy = rng.standard_normal(shape), rng.standard_normal((2, 3, 4))
    gx = sum_to(gy, Input(Node(), shape, x.dtype))
    assert gx.shape == shape
    np.testing.assert_allclose(np.vdot(np.broadcast_to(x, gy.shape), gy), np.vdot(x, gx), rtol=1e-12)
