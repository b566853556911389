"""float32 stays float32, and is as exact as float32 can be."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from properties.calls import LENGTHS, SEEDS, any_shape
from properties.every_op import calls, on_every_op
from support import as_leaves, results

import tinyres
from tinyres import Tensor


@on_every_op
@given(st.data())
def test_float32(op, data):
    """Against the same numbers in float64. A hundred terms, each rounded by 6e-8 of its size: 6e-6 at most, and terms
    may be some times larger than their sum. Anything computed in half precision would be off by 1e-3."""
    call = data.draw(calls(op))
    assume(call.is_smooth())
    single = [a.astype(np.float32) for a in call.arrays()]
    wanted = results(call, as_leaves([a.astype(np.float64) for a in single]))
    for actual, exact in zip(results(call, as_leaves(single)), wanted, strict=True):
        assert actual.dtype == np.float32
        assert exact.dtype == np.float64
        np.testing.assert_allclose(actual, exact, rtol=0, atol=2e-5 * max(1, np.abs(exact).max(initial=0)))


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__mul__", "__truediv__"])
@given(st.data())
def test_each_operand_gets_its_own_dtype_back(operator, data):
    name = {"__add__": "add", "__sub__": "subtract", "__mul__": "multiply", "__truediv__": "divide"}[operator]
    call = data.draw(calls(name))
    a, b = call.arrays()
    single, double = as_leaves([a.astype(np.float32), b])
    y = getattr(single, operator)(double)
    gy = call.gy(y.shape)
    y.backward(gy)
    assert (y.dtype, single.grad.dtype, double.grad.dtype) == (np.float64, np.float32, np.float64)
    _, ga, gb = results(call, as_leaves([a.astype(np.float32).astype(np.float64), b]), gy)
    np.testing.assert_allclose(double.grad, gb, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(single.grad, ga, rtol=1e-6, atol=1e-6 * max(1, np.abs(ga).max()))


@pytest.mark.parametrize("source", ["float16", "float32", "float64"])
@pytest.mark.parametrize("target", ["float16", "float32", "float64"])
@given(st.data(), SEEDS)
def test_to(source, target, data, seed):
    draws = np.random.default_rng(seed)
    shape = any_shape(data.draw, LENGTHS)
    x = Tensor(np.asarray(draws.standard_normal(shape), source), requires_grad=True)
    y = x.to(target) * Tensor(np.ones((), target))
    gy = np.asarray(draws.standard_normal(shape), target)
    y.backward(gy)
    assert y.dtype == target
    np.testing.assert_array_equal(y.data, x.data.astype(target))
    np.testing.assert_array_equal(x.grad, gy.astype(source))
    assert x.grad.dtype == source
    with tinyres.no_grad():
        assert not x.to(target).op
