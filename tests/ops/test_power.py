"""tinyres/ops/power.py"""

import numpy as np
import pytest
from support import Case, OpTests, floats, integers, normal, positive

from tinyres import Tensor


def power(lib, x, exponent):
    return x**exponent


def test_by_hand():
    x = Tensor([2.0, -3.0], requires_grad=True)
    y = x**3
    y.backward(np.float32([1, 2]))
    assert y.data.tolist() == [8, -27]
    assert x.grad.tolist() == [12, 54]  # gy·3·x²


class TestPower(OpTests):
    CASES = (
        *(Case(power, (2, 3), exponent=p) for p in (0, 1, 2, 3)),
        *(Case(power, (2, 3), exponent=p, draw=positive) for p in (-1, -2.5, 0.5, 1.7)),
        Case(power, (), exponent=2),
    )
    MORE = tuple(
        Case(power, shape, exponent=p, draw=draw)
        for shape in ((5, 1, 3), (1,))
        for p, draw in ((4, normal), (2.0, normal), (-3, positive), (0.1, positive))
    )
    ERRORS = (
        (lambda: integers(3) ** 2, TypeError, "power: expected x in floating point, got int64; use .to('float32')"),
        (lambda: floats(3) ** floats(3), TypeError, "power: expected a number as exponent, got Tensor"),
    )

    @pytest.mark.parametrize(("exponent", "gradient"), [(0, 0), (1, 1), (2, 0)])
    def test_at_zero(self, exponent, gradient):
        x = Tensor([0.0], requires_grad=True)
        (x**exponent).backward()
        assert x.grad.tolist() == [gradient]

    def test_a_numpy_number_as_exponent_leaves_the_dtype_alone(self):
        x = Tensor([2.0], requires_grad=True)
        y = x ** np.float64(2)
        y.backward()
        assert y.dtype == x.grad.dtype == np.float32
