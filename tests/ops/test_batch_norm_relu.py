"""tinyres/ops/batch_norm_relu.py, through nn/fused.py; which in torch are two calls."""

import itertools

import numpy as np
from support import Case, OpTests, floats

import tinyres
from tinyres import Tensor
from tinyres.nn import functional as F
from tinyres.nn import fused


def batch_norm_relu(lib, x, weight=None, bias=None, **settings):
    if lib is tinyres:
        return fused.batch_norm_relu(x, F.Norm(None, None, weight, bias, training=True, **settings))
    return lib.relu(lib.nn.functional.batch_norm(x, None, None, weight, bias, training=True, **settings))


def test_by_hand():
    x, bias = Tensor([[1.0], [3.0]]), Tensor([5.0], requires_grad=True)  # one channel: mean 2, variance 1
    y = fused.batch_norm_relu(x, F.Norm(None, None, Tensor([10.0]), bias, training=True, eps=0.0))
    y.backward(np.float32([[3], [4]]))
    assert y.data.tolist() == [[0], [15]]  # max(10·(x − 2)/1 + 5, 0)
    assert bias.grad.tolist() == [4]  # where ReLU's gate is open


class TestBatchNormReLU(OpTests):
    CASES = (
        Case(batch_norm_relu, (4, 3)),
        Case(batch_norm_relu, (3, 2, 2, 3), (2,), (2,)),
        Case(batch_norm_relu, (1, 2, 1, 4), (2,), (2,)),
        Case(batch_norm_relu, (2, 3, 4), (3,), (3,), eps=0.1),
    )
    MORE = tuple(
        Case(batch_norm_relu, (N, C, *size), (C,), (C,), eps=eps)
        for N, C, size, eps in itertools.product((2, 5), (1, 4), ((2, 3), (7, 1), (6,)), (1e-5, 0.1))
    )
    ERRORS = (
        (
            lambda: fused.batch_norm_relu(floats(2, 4, 5, 5), F.Norm(None, None, floats(3))),
            ValueError,
            "batch_norm: expected input (N, 3, …), got (2, 4, 5, 5)",
        ),
        (
            lambda: fused.batch_norm_relu(floats(1, 4), F.Norm(None, None)),
            ValueError,
            "batch_norm: training needs more than one value per channel, got input (1, 4)",
        ),
    )

    def test_where_the_gate_is_shut_x_still_has_a_gradient(self):
        """x had no say in its own y there, but in the mean and the variance of the others."""
        x = Tensor(np.array([[-3.0], [1.0], [2.5]]), requires_grad=True)
        y = fused.batch_norm_relu(x, F.Norm(None, None))
        y.backward(np.array([[1.0], [1.0], [2.0]]))
        assert y.data[0] == 0 and abs(x.grad[0, 0]) > 0.01
