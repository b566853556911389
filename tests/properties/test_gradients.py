"""What an op's backward computes: the slope of its own forward, and nothing that is not wanted."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from properties.calls import SEEDS
from properties.every_op import calls, on_every_op
from support import as_leaves, results

import tinyres


@on_every_op
@given(st.data())
def test_gradcheck(op, data):
    call = data.draw(calls(op))
    assume(call.is_smooth())
    tinyres.gradcheck(call, call.tensors(), seed=call.seed)


@on_every_op
@given(st.data(), SEEDS)
def test_backward_is_linear_in_gy(op, data, seed):
    """Whatever forward is. The kernels may reckon with rounding, but not with gy's size or sign."""
    call = data.draw(calls(op))
    first = call.gy(call(*call.tensors()).shape)
    second = np.asarray(np.random.default_rng(seed).standard_normal(first.shape))
    of_both = gradients(call, first - 3 * second)
    for both, a, b in zip(of_both, gradients(call, first), gradients(call, second), strict=True):
        scale = max(1, np.abs(a).max(initial=0), np.abs(b).max(initial=0))  # a batch norm may blow gradients up
        np.testing.assert_allclose(both, a - 3 * b, rtol=0, atol=1e-10 * scale)


@on_every_op
@given(st.data())
def test_only_wanted_gradients(op, data):
    """What an input gets does not depend on who else gets one, and who asked for nothing gets nothing."""
    call = data.draw(calls(op))
    wanted = data.draw(st.lists(st.booleans(), min_size=len(call.shapes), max_size=len(call.shapes)).filter(any))
    all_of_them = gradients(call)
    tensors = [x.requires_grad_(want) for x, want in zip(call.tensors(), wanted, strict=True)]
    results(call, tensors)
    for x, gradient in zip(tensors, all_of_them, strict=True):
        assert (x.grad is not None) == x.requires_grad
        assert x.grad is None or np.array_equal(x.grad, gradient)


@on_every_op
@given(st.data())
def test_a_gy_of_zeros_gives_zeros(op, data):
    call = data.draw(calls(op))
    zeros = np.zeros(call(*call.tensors()).shape)
    assert not any(gradient.any() for gradient in gradients(call, zeros))


def gradients(call, gy=None):
    return results(call, as_leaves(call.arrays()), gy)[1:]
