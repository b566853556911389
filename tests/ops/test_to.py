"""tinyres/ops/to.py"""

import sys

import numpy as np
import pytest
from support import floats

from tinyres import Tensor


def test_by_hand():
    x = Tensor([1.5, 2.5], requires_grad=True)  # float32
    y = x.to("float64")
    y.backward(np.array([3.0, 4.0]))
    assert y.dtype == np.float64 and y.data.tolist() == [1.5, 2.5]
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [3, 4]


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64")], ids=repr)
def test_the_gradient_comes_back_in_the_inputs_dtype(dtype):
    x = Tensor([1.5, 2.5], requires_grad=True)
    y = x.to(dtype)
    assert y.dtype == np.float64
    y.backward(np.array([0.1, 0.2]))
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad, np.float32([0.1, 0.2]))


def test_nothing_to_convert_gives_the_very_tensor():
    x = floats(3)
    assert x.to("float32") is x.to("cpu") is x.to("cpu", "float32") is x.to(dtype=np.float32) is x


def test_integers_and_back():
    assert Tensor([1, 2]).to("float32").dtype == np.float32
    assert floats(2).to("int64").dtype == np.int64


def test_an_integer_result_has_no_gradient():
    assert not Tensor([1.5], requires_grad=True).to("int64").requires_grad


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("tpu",), ValueError, "to: expected a device .* or a dtype .*, got 'tpu'"),
        (("float32", "float32"), ValueError, "to: expected a device such as 'cpu' or 'cuda', got 'float32'"),
        (("cudax",), ValueError, "device: expected 'cpu' or 'cuda', got 'cudax'"),
    ],
    ids=["neither", "two dtypes", "no such device"],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        floats(2).to(*arguments)


def test_a_gpu_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(RuntimeError, match=r"device 'cuda' needs CuPy: pip install 'tinyres\[cuda13\]'"):
        floats(2).to("cuda")
