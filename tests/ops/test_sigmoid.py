"""tinyres/ops/sigmoid.py"""

from support import SHAPES, Case, OpTests, integers

from tinyres import Tensor


def sigmoid(lib, x):
    return x.sigmoid()


class TestSigmoid(OpTests):
    CASES = tuple(Case(sigmoid, shape) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).sigmoid(), TypeError, "sigmoid: expected input in floating point, got int64"),)

    def test_saturates_without_overflow_and_is_steepest_at_zero(self):
        x = Tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
        y = x.sigmoid()
        y.sum().backward()
        assert y.data.tolist() == [0, 0.5, 1]
        assert x.grad.tolist() == [0, 0.25, 0]
