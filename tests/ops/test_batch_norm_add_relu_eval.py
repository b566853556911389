"""tinyres/ops/batch_norm_add_relu_eval.py, through nn/fused.py with training=False."""

import numpy as np
from support import Case, OpTests, floats

import tinyres
from tinyres import Tensor
from tinyres.nn import functional as F
from tinyres.nn import fused

MEAN, VAR = [0.5, -1.0, 2.0], [1.0, 0.25, 4.0]


def batch_norm_add_relu_eval(lib, x, residual, weight=None, bias=None, **settings):
    """With given statistics, in x's dtype."""
    if lib is tinyres:
        mean, var = (Tensor(np.array(values, x.dtype)) for values in (MEAN, VAR))
        return fused.batch_norm_add_relu(x, residual, F.Norm(mean, var, weight, bias, training=False, **settings))
    mean, var = (lib.tensor(values, dtype=x.dtype) for values in (MEAN, VAR))
    return lib.relu(lib.nn.functional.batch_norm(x, mean, var, weight, bias, training=False, **settings) + residual)


def test_by_hand():
    x, residual = Tensor([[1.0], [4.0]], requires_grad=True), Tensor([[7.0], [-20.0]], requires_grad=True)
    norm = F.Norm(Tensor([2.0]), Tensor([4.0]), Tensor([10.0]), Tensor([5.0]), training=False, eps=0.0)
    y = fused.batch_norm_add_relu(x, residual, norm)
    y.backward(np.float32([[3], [4]]))
    assert y.data.tolist() == [[7], [0]]  # max(10·(x − 2)/√4 + 5 + residual, 0)
    assert residual.grad.tolist() == [[3], [0]]  # gy where the gate is open
    assert x.grad.tolist() == [[15], [0]]  # and that times 10/√4


class TestBatchNormAddReLUEval(OpTests):
    CASES = (
        Case(batch_norm_add_relu_eval, (2, 3), (2, 3)),
        Case(batch_norm_add_relu_eval, (1, 3, 1, 1), (1, 3, 1, 1), (3,), (3,)),
        Case(batch_norm_add_relu_eval, (2, 3, 2, 1), (2, 3, 2, 1), (3,), (3,)),
        Case(batch_norm_add_relu_eval, (2, 3, 2), (2, 3, 2), (3,), (3,), eps=0.1),
    )
    MORE = tuple(
        Case(batch_norm_add_relu_eval, (N, 3, *size), (N, 3, *size), (3,), (3,))
        for N in (0, 1, 5)
        for size in ((), (7,), (3, 4))
    )
    ERRORS = (
        (
            lambda: fused.batch_norm_add_relu(floats(2, 4), floats(2, 4), F.Norm(floats(3), floats(3))),
            ValueError,
            "batch_norm: expected running statistics (4,), got (3,) and (3,)",
        ),
    )
