"""tinyres/ops/matmul.py"""

import numpy as np
from support import Case, OpTests, floats, integers

from tinyres import Tensor


def matmul(lib, a, b):
    return a @ b


def test_by_hand():
    a, b = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([[3.0], [4.0]], requires_grad=True)
    y = a @ b
    y.backward(np.float32([[10]]))
    assert y.data.tolist() == [[11]]  # 1·3 + 2·4
    assert a.grad.tolist() == [[30, 40]]  # gy·bᵀ
    assert b.grad.tolist() == [[10], [20]]  # aᵀ·gy


class TestMatmul(OpTests):
    CASES = (
        Case(matmul, (2, 3), (3, 4)),
        Case(matmul, (1, 3), (3, 1)),
        Case(matmul, (3, 1), (1, 2)),
        Case(matmul, (2, 1, 3), (3, 2)),
        Case(matmul, (1, 3), (2, 3, 2)),
        Case(matmul, (2, 2, 3), (2, 3, 1)),
        Case(matmul, (2, 1, 2, 3), (3, 3, 1)),
    )
    MORE = tuple(Case(matmul, (*a, 5, 4), (*b, 4, 3)) for a in ((), (2,), (7, 1), (7, 2)) for b in ((), (1,), (7, 2)))
    ERRORS = (
        (
            lambda: floats(2, 3) @ floats(2, 3),
            ValueError,
            "matmul: expected (…, I, K) @ (…, K, J), got (2, 3) @ (2, 3)",
        ),
        (lambda: floats(3) @ floats(3, 2), ValueError, "matmul: expected (…, I, K) @ (…, K, J), got (3,) @ (3, 2)"),
        (
            lambda: floats(2, 3, 4) @ floats(3, 4, 5),
            ValueError,
            "matmul: the leading axes of (2, 3, 4) and (3, 4, 5) do not broadcast together",
        ),
        (lambda: integers(2, 2) @ integers(2, 2), TypeError, "matmul: expected a in floating point, got int64"),
        (
            lambda: floats(2, 2) @ floats(2, 2, dtype="float64"),
            TypeError,
            "matmul: expected one dtype, got a float32, b float64",
        ),
        (
            lambda: floats(2, 2) @ [[1.0]],
            TypeError,
            "matmul: expected b to be a Tensor, got list; wrap it: Tensor(...)",
        ),
    )
