"""tinyres/ops/tanh.py"""

from support import SHAPES, Case, OpTests, integers

from tinyres import Tensor


def tanh(lib, x):
    return x.tanh()


class TestTanh(OpTests):
    CASES = tuple(Case(tanh, shape) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).tanh(), TypeError, "tanh: expected input in floating point, got int64"),)

    def test_saturates_without_overflow(self):
        x = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
        y = x.tanh()
        y.sum().backward()
        assert y.data.tolist() == [-1, 0, 1]
        assert x.grad.tolist() == [0, 1, 0]
