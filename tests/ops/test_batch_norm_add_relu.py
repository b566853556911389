"""tinyres/ops/batch_norm_add_relu.py, through nn/fused.py; which in torch are three calls."""

import itertools

import numpy as np
from support import Case, OpTests, floats, integers

import tinyres
from tinyres import Tensor
from tinyres.nn import functional as F
from tinyres.nn import fused


def batch_norm_add_relu(lib, x, residual, weight=None, bias=None, **settings):
    if lib is tinyres:
        return fused.batch_norm_add_relu(x, residual, F.Norm(None, None, weight, bias, training=True, **settings))
    return lib.relu(lib.nn.functional.batch_norm(x, None, None, weight, bias, training=True, **settings) + residual)


def test_by_hand():
    x, residual = Tensor([[1.0], [3.0]]), Tensor([[9.0], [-20.0]], requires_grad=True)  # x: mean 2, variance 1
    norm = F.Norm(None, None, Tensor([10.0]), Tensor([5.0]), training=True, eps=0.0)
    y = fused.batch_norm_add_relu(x, residual, norm)
    y.backward(np.float32([[3], [4]]))
    assert y.data.tolist() == [[4], [0]]  # max(10·(x − 2)/1 + 5 + residual, 0)
    assert residual.grad.tolist() == [[3], [0]]  # gy where the gate is open


class TestBatchNormAddReLU(OpTests):
    CASES = (
        Case(batch_norm_add_relu, (4, 3), (4, 3)),
        Case(batch_norm_add_relu, (3, 2, 2, 3), (3, 2, 2, 3), (2,), (2,)),
        Case(batch_norm_add_relu, (1, 2, 1, 4), (1, 2, 1, 4), (2,), (2,)),
        Case(batch_norm_add_relu, (2, 3, 4), (2, 3, 4), (3,), (3,), eps=0.1),
        Case(batch_norm_add_relu, (2, 3, 2, 2), (3, 1, 1), (3,), (3,)),  # a residual that is spread out: three ops
    )
    MORE = tuple(
        Case(batch_norm_add_relu, (N, C, *size), (N, C, *size), (C,), (C,), eps=eps)
        for N, C, size, eps in itertools.product((2, 5), (1, 4), ((2, 3), (7, 1), (6,)), (1e-5, 0.1))
    )
    ERRORS = (
        (
            lambda: fused.batch_norm_add_relu(floats(2, 4), floats(2, 4), F.Norm(None, None, floats(3))),
            ValueError,
            "batch_norm: expected input (N, 3, …), got (2, 4)",
        ),
        (
            lambda: fused.batch_norm_add_relu(floats(2, 4), floats(2, 3), F.Norm(None, None)),
            ValueError,
            "add: shapes (2, 4) and (2, 3) do not broadcast",
        ),
        (
            lambda: fused.batch_norm_add_relu(floats(2, 4), integers(2, 4), F.Norm(None, None)),
            TypeError,
            "batch_norm_add_relu: expected residual in floating point, got int64",
        ),
        (
            lambda: fused.batch_norm_add_relu(floats(2, 4), floats(2, 4, dtype="float64"), F.Norm(None, None)),
            TypeError,
            "batch_norm_add_relu: expected one dtype, got input float32, residual float64",
        ),
    )

    def test_the_shortcut_receives_what_arrives_unchanged(self):
        """However small the branch makes things: here gamma = 0, and no gradient reaches x at all."""
        draws = np.random.default_rng(0)
        x, residual = (Tensor(draws.standard_normal((4, 3, 2, 2)), requires_grad=True) for _ in range(2))
        y = fused.batch_norm_add_relu(x, residual, F.Norm(None, None, Tensor(np.zeros(3))))
        gy = draws.standard_normal(y.shape)
        y.backward(gy)
        assert np.array_equal(residual.grad, gy * (residual.data > 0))
        assert not x.grad.any()
