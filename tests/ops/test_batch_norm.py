"""tinyres/ops/batch_norm.py, through F.batch_norm, which also keeps the running statistics."""

import itertools

import numpy as np
import pytest
from support import Case, OpTests, floats, integers

from tinyres import Tensor
from tinyres.nn import functional as F


def batch_norm(lib, x, weight=None, bias=None, **settings):
    return lib.nn.functional.batch_norm(x, None, None, weight, bias, training=True, **settings)


def far_from_zero(draws, shape):
    return 3 * draws.standard_normal(shape) + 5


def test_by_hand():
    x = Tensor([[1.0], [3.0]], requires_grad=True)  # one channel: mean 2, variance 1
    y = F.batch_norm(x, None, None, Tensor([10.0]), Tensor([5.0]), training=True, eps=0.0)
    y.backward(np.float32([[1], [0]]))
    assert y.data.tolist() == [[-5], [15]]  # 10·(x − 2)/1 + 5
    assert x.grad.tolist() == [[0], [0]]  # two values always come out as ∓1: x cannot change y


class TestBatchNorm(OpTests):
    CASES = (
        Case(batch_norm, (4, 3)),
        Case(batch_norm, (3, 2, 2, 3), (2,), (2,)),
        Case(batch_norm, (1, 2, 1, 4), (2,), (2,)),
        Case(batch_norm, (5, 1, 1, 1), (1,), (1,)),
        Case(batch_norm, (2, 3, 4), (3,), (3,), eps=0.1),
        Case(batch_norm, (3, 2, 2, 2), (2,), (2,), draw=far_from_zero),
    )
    MORE = tuple(
        Case(batch_norm, (N, C, *size), (C,), (C,), eps=eps)
        for N, C, size, eps in itertools.product((1, 2, 5), (1, 4), ((2, 3), (7, 1), (6,)), (1e-5, 0.1))
    )
    ERRORS = (
        (
            lambda: F.batch_norm(floats(2, 4, 5, 5), None, None, floats(3)),
            ValueError,
            "batch_norm: expected input (N, 3, …), got (2, 4, 5, 5)",
        ),
        (
            lambda: F.batch_norm(floats(1, 4), None, None),
            ValueError,
            "batch_norm: training needs more than one value per channel, got input (1, 4)",
        ),
        (
            lambda: F.batch_norm(floats(0, 4, 2, 2), None, None),
            ValueError,
            "batch_norm: training needs more than one value per channel, got input (0, 4, 2, 2)",
        ),
        (
            lambda: F.batch_norm(integers(2, 4), None, None),
            TypeError,
            "batch_norm: expected input in floating point, got int64",
        ),
        (
            lambda: F.batch_norm(floats(2, 4, dtype="float64"), None, None, floats(4)),
            TypeError,
            "batch_norm: expected one dtype, got input float64, weight float32, bias float64",
        ),
    )

    def test_every_channel_comes_out_with_mean_0_and_variance_1(self):
        y = F.batch_norm(Tensor(np.random.default_rng(0).standard_normal((8, 3, 5, 5))), None, None).data
        np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(y.var((0, 2, 3)), 1, atol=1e-4)

    @pytest.mark.parametrize("momentum", [0.1, 1.0, 0.0])
    def test_running_statistics(self, momentum):
        """running = (1 − momentum)·running + momentum·batch, the variance divided by M − 1."""
        x = Tensor(np.random.default_rng(0).standard_normal((4, 3, 2, 5)))
        mean, var = Tensor(np.zeros(3)), Tensor(np.ones(3))
        for _ in range(2):
            F.batch_norm(x, mean, var, training=True, momentum=momentum)
        left = (1 - momentum) ** 2
        np.testing.assert_allclose(mean.data, (1 - left) * x.data.mean((0, 2, 3)))
        np.testing.assert_allclose(var.data, left + (1 - left) * x.data.var((0, 2, 3), ddof=1))

    def test_the_gradient_sums_to_zero_over_a_channel(self):
        x = Tensor(np.random.default_rng(0).standard_normal((4, 3, 2, 5)), requires_grad=True)
        F.batch_norm(x, None, None).backward(np.random.default_rng(1).standard_normal(x.shape))
        np.testing.assert_allclose(x.grad.sum((0, 2, 3)), 0, atol=1e-12)
