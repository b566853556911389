"""docs/differences.md: every row is true, and has its test here."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinyres
import tinyres_kernels
from tinyres import Tensor, nn
from tinyres import random as draws
from tinyres.look.anomaly.report import AnomalyError
from tinyres.nn import functional as F

KERNELS = Path(tinyres_kernels.__file__).parent
PAGE = (Path(__file__).parents[1] / "docs" / "differences.md").read_text(encoding="utf-8")


def x(*shape):
    return Tensor(np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape), requires_grad=True)


def test_every_row_has_its_test_and_every_test_its_row():
    rows = re.findall(r"\| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert sorted(f"test_{row}" for row in rows) == sorted(
        name for name in globals() if name.startswith("test_") and not name.startswith("test_every_row")
    )


def test_grad_is_an_array():
    a = x(2, 2)
    (a * a).sum().backward()
    assert type(a.grad) is np.ndarray


def test_no_second_derivatives():
    with pytest.raises(TypeError, match="create_graph"):
        x(1).sum().backward(create_graph=True)


def test_nothing_is_written_in_place():
    a = Tensor(np.array([-1.0, 2.0], np.float32))
    b = F.relu(a, inplace=True)
    before = a
    a += b
    assert before.data.tolist() == [-1, 2] and a is not before


def test_an_op_is_an_instance():
    class Double(tinyres.Op):
        def forward(self, x):
            self.saved = (2,)
            return self.saved[0] * x

        def backward(self, gy):
            return self.saved[0] * gy

    a = x(3)
    op = Double()
    y = op(a)
    assert y.op is op
    y.sum().backward()
    assert a.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("setting", [{"dilation": 2}, {"groups": 2}])
def test_no_dilation_and_no_groups(setting):
    with pytest.raises(NotImplementedError):
        F.conv2d(x(1, 2, 5, 5), x(2, 2, 3, 3), **setting)


def test_interpolate_is_nearest():
    with pytest.raises(NotImplementedError, match="only mode='nearest'"):
        F.interpolate(x(1, 1, 2, 2), scale_factor=2, mode="bilinear")
    with pytest.raises(ValueError, match="whole number"):
        F.interpolate(x(1, 1, 2, 2), scale_factor=1.5)


def test_pad_is_constant():
    with pytest.raises(ValueError, match="only mode='constant'"):
        F.pad(x(1, 1, 2, 2), (1, 1), mode="reflect")
    with pytest.raises(ValueError, match="0 or more"):
        F.pad(x(1, 1, 2, 2), (-1, 0))


def test_matmul_takes_matrices():
    with pytest.raises(ValueError, match="matmul: expected"):
        x(3) @ x(3)


def test_the_exponent_is_a_number():
    with pytest.raises(TypeError, match="expected a number as exponent"):
        x(3) ** x(3)


def test_zero_grad_is_none():
    layer = nn.Linear(2, 1)
    layer(x(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_numpy_needs_no_detach():
    a = x(2)
    assert a.numpy() is a.data


def test_state_dict_copies():
    layer = nn.Linear(2, 1)
    state = layer.state_dict()
    before = state["weight"].copy()
    layer.weight.data += 1
    assert type(state["weight"]) is np.ndarray and np.array_equal(state["weight"], before)


def test_load_state_dict_is_all_or_nothing():
    layer = nn.Linear(2, 1)
    before = layer.state_dict()
    with pytest.raises(ValueError, match="does not fit"):
        layer.load_state_dict({"weight": np.zeros((1, 2)), "bias": np.zeros(5)})
    assert np.array_equal(layer.weight.data, before["weight"])


def test_module_hooks_look_on():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: grad_input)
    with pytest.raises(TypeError, match="must return None"):
        layer(x(1, 2)).sum().backward()


def test_draws_are_keyed():
    tinyres.manual_seed(3)
    draws.set_step(0, 5)
    first = F.dropout(x(100), 0.5).numpy().copy()
    F.dropout(x(100), 0.5)  # a draw more, and other steps in between
    draws.set_step(2, 1)
    F.dropout(x(7), 0.5)
    draws.set_step(0, 5)
    assert np.array_equal(F.dropout(x(100), 0.5).numpy(), first)


def test_changed_arrays_are_found():
    a, b = x(2), x(2)
    with pytest.raises(AnomalyError), tinyres.detect_anomaly():
        y = a * b
        b.data[0] = 9
        y.sum().backward()


class TestTorch:
    """Of the second column what can be asked of torch in a line."""

    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="torch is not installed")

    def test_grad_is_a_tensor(self, torch):
        a = torch.ones(2, requires_grad=True)
        (a * a).sum().backward()
        assert isinstance(a.grad, torch.Tensor)
        with pytest.raises(RuntimeError, match="detach"):
            a.numpy()

    def test_state_dicts(self, torch):
        layer = torch.nn.Linear(2, 1)
        assert layer.state_dict()["weight"].data_ptr() == layer.weight.data_ptr()
        with pytest.raises(RuntimeError):
            layer.load_state_dict({"weight": torch.zeros(1, 2), "bias": torch.zeros(5)})
        assert layer.weight.tolist() == [[0, 0]]  # half of it is loaded

    def test_inplace(self, torch):
        a = torch.tensor([-1.0])
        torch.nn.functional.relu(a, inplace=True)
        assert a.item() == 0


def test_precision_is_of_convolutions():
    """Which kernels ask for it: gpu/conv2d's, and no others. By default nothing is rounded."""
    assert tinyres.get_float32_matmul_precision() == "highest"
    asking = [path.stem for path in KERNELS.rglob("*.py") if "products.get()" in path.read_text(encoding="utf-8")]
    assert asking == ["conv2d"]
