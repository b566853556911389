"""What random numbers never hit, or hit without telling: ties, kinks, and the choices behind running statistics.

On every rung. The choices are torch's.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties.calls import LENGTHS, SEEDS
from properties.every_op import calls, rung
from properties.images import as_pair
from support import as_leaves, results

import tinyres
from tinyres import Tensor
from tinyres.nn import functional as F
from tinyres.nn import fused

on_every_rung = pytest.mark.parametrize("kernels", ["reference", "array", "cpu"])
SHAPES = st.tuples(st.integers(2, 4), LENGTHS, LENGTHS, LENGTHS)
DTYPES = st.sampled_from([np.float32, np.float64])


def constant(x, value):
    """value for each channel"""
    return Tensor(np.full(x.shape[1], value, x.dtype))


# ---- the slope of ReLU at 0 is 0 -------------------------------------------------------------------------------------

GATED = {  # z -> max(z, 0), each op on its own way; exactly, so that a z of 0 stays 0
    "relu": lambda z: F.relu(z),
    "batch_norm_relu_eval": lambda z: fused.batch_norm_relu(z, F.Norm(constant(z, 0), constant(z, 1), eps=0)),
    "batch_norm_add_relu_eval": lambda z: fused.batch_norm_add_relu(
        z * 0, z, F.Norm(constant(z, 0), constant(z, 1), eps=0)
    ),
    "batch_norm_add_relu": lambda z: fused.batch_norm_add_relu(z * 0, z, F.Norm(None, None, constant(z, 0))),
}


@on_every_rung
@pytest.mark.parametrize("op", GATED)
@given(SHAPES, SEEDS, DTYPES)
def test_a_gate_is_shut_at_zero(op, kernels, shape, seed, dtype):
    draws = np.random.default_rng(seed)
    z = draws.choice([-1, -0.0, 0.0, 1], shape).astype(dtype)
    gy = draws.standard_normal(shape).astype(dtype)
    leaf = Tensor(z, requires_grad=True)
    with rung(kernels):
        y = GATED[op](leaf)
        y.backward(gy)
    np.testing.assert_array_equal(y.data, np.where(z > 0, z, 0))
    np.testing.assert_array_equal(leaf.grad, np.where(z > 0, gy, 0))


@on_every_rung
@given(SHAPES, SEEDS)
def test_batch_norm_relu_is_shut_at_zero(kernels, shape, seed):
    """With gamma = 0 all of a channel is beta."""
    draws = np.random.default_rng(seed)
    x, gy = draws.standard_normal((2, *shape))
    beta = Tensor(draws.choice([-1, -0.0, 0.0, 1], shape[1]), requires_grad=True)
    with rung(kernels):
        fused.batch_norm_relu(Tensor(x), F.Norm(None, None, Tensor(np.zeros(shape[1])), beta)).backward(gy)
    np.testing.assert_allclose(beta.grad, np.where(beta.data > 0, gy.sum((0, 2, 3)), 0), atol=1e-12)


# ---- of equal maxima the first wins ----------------------------------------------------------------------------------


@on_every_rung
@given(st.data(), DTYPES)
def test_max_pool2d_of_equal_maxima_the_first_gets_the_gradient(kernels, data, dtype):
    call = data.draw(calls("max_pool2d"))
    x = np.round(call.arrays()[0]).astype(dtype)  # −2, −1, −0, 0, 1, 2
    with rung(kernels):
        y, gx = results(call, as_leaves([x]))
    kernel, padding, stride = (call.settings[name] for name in ("kernel_size", "padding", "stride"))
    stride = kernel if stride is None else as_pair(stride)
    wanted = np.zeros_like(x)
    gy = call.gy(y.shape).astype(dtype)
    for n, c, p, q in np.ndindex(y.shape):
        rows, columns = (
            range(max(0, at * s - pad), min(length, at * s - pad + k))
            for at, s, pad, k, length in zip((p, q), stride, padding, kernel, x.shape[2:], strict=True)
        )
        winner = max(
            ((r, k) for r in rows for k in columns), key=lambda place: x[(n, c, *place)]
        )  # max takes the first
        wanted[(n, c, *winner)] += gy[n, c, p, q]
    np.testing.assert_allclose(gx, wanted, rtol=1e-5, atol=1e-5)


# ---- batch normalisation ---------------------------------------------------------------------------------------------

TRAINING = ("batch_norm", "batch_norm_relu", "batch_norm_add_relu")


def normalise(op, x, *settings, **more):
    if op == "batch_norm":
        return F.batch_norm(x, *settings, **more)
    inputs = (x, Tensor(np.zeros_like(x.data))) if "add" in op else (x,)
    return getattr(fused, op)(*inputs, F.Norm(*settings, **more))


def alternating(shape):
    """+1 and −1 by turns along the first axis, which is even: mean 0, biased variance 1."""
    x = np.ones(shape)
    x[1::2] = -1
    return Tensor(x)


@on_every_rung
@pytest.mark.parametrize("op", TRAINING)
@pytest.mark.parametrize("training", [True, False])
@given(st.sampled_from([2, 4]), LENGTHS, LENGTHS, st.integers(1, 9))
def test_eps_stands_under_the_root_beside_the_biased_variance(op, training, kernels, N, C, H, k):
    """(±1 − 0) / √(1 + (k² − 1)) = ±1/k"""
    x = alternating((N, C, H))
    running = (None, None) if training else (constant(x, 0), constant(x, 1))
    with rung(kernels):
        y = normalise(op, x, *running, training=training, eps=k * k - 1)
    wanted = x.data / k
    np.testing.assert_allclose(y.data, np.maximum(wanted, 0) if "relu" in op else wanted, rtol=1e-14)


@on_every_rung
@pytest.mark.parametrize("op", TRAINING)
@given(SHAPES, SEEDS, st.sampled_from([None, 0.0, 0.1, 0.7, 1.0]), DTYPES)
def test_running_statistics(op, kernels, shape, seed, momentum, dtype):
    """running = (1 − momentum)·running + momentum·batch, in place, the variance divided by M − 1. None: 0.1"""
    draws = np.random.default_rng(seed)
    x, C = draws.standard_normal(shape).astype(dtype), shape[1]
    mean, var = draws.standard_normal(C).astype(dtype), draws.uniform(0.5, 2, C).astype(dtype)
    running = Tensor(mean.copy()), Tensor(var.copy())
    arrays = [r.data for r in running]
    with rung(kernels), tinyres.no_grad():
        for _ in range(2):
            normalise(op, Tensor(x), *running, training=True, **({} if momentum is None else {"momentum": momentum}))
    left = (1 - (0.1 if momentum is None else momentum)) ** 2  # of what was there before two updates
    wanted = [left * mean + (1 - left) * x.mean((0, 2, 3)), left * var + (1 - left) * x.var((0, 2, 3), ddof=1)]
    for r, array, value in zip(running, arrays, wanted, strict=True):
        assert r.data is array
        assert array.dtype == dtype
        np.testing.assert_allclose(array, value, rtol=1e-5, atol=1e-5)


@on_every_rung
@pytest.mark.parametrize("op", TRAINING)
@given(SHAPES, SEEDS)
def test_evaluation_leaves_running_statistics_alone(op, kernels, shape, seed):
    draws = np.random.default_rng(seed)
    mean, var = draws.uniform(0.5, 2, (2, shape[1]))
    running = Tensor(mean.copy()), Tensor(var.copy())
    with rung(kernels):
        x = Tensor(draws.standard_normal(shape), requires_grad=True)
        normalise(op, x, *running).sum().backward()
    np.testing.assert_array_equal([r.data for r in running], [mean, var])
