"""Who shares memory with whom makes no difference either, and no op writes where it should only read."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from properties.every_op import calls, on_every_op, on_ops
from support import as_leaves, results


def alike(call):
    """The pairs of inputs that have the same shape."""
    return [(i, j) for i, j in combinations(range(len(call.shapes)), 2) if call.shapes[i] == call.shapes[j]]


def with_a_pair(data, op):
    """A call with two inputs of equal values, and which they are."""
    call = data.draw(calls(op).filter(alike))
    i, j = data.draw(st.sampled_from(alike(call)))
    arrays = call.arrays()
    arrays[i] = arrays[j].copy()
    return call, arrays, i, j


@on_ops(lambda op: op.takes_two)
@given(st.data())
def test_one_tensor_twice(op, data):
    """add(x, x), cat([x, x]), conv2d(x, x): x gets the sum of what two tensors would get, to the last bit."""
    call, arrays, i, j = with_a_pair(data, op)
    y, *wanted = results(call, as_leaves(arrays))
    np.testing.assert_allclose(y, call.defined(arrays), rtol=1e-10, atol=1e-10)
    leaves = as_leaves(arrays)
    leaves[i] = leaves[j]
    both = call(*leaves)
    both.backward(call.gy(both.shape))
    np.testing.assert_array_equal(both.data, y)
    wanted[i] = wanted[j] = wanted[i] + wanted[j]
    for leaf, gradient in zip(leaves, wanted, strict=True):
        np.testing.assert_array_equal(leaf.grad, gradient)


@on_ops(lambda op: op.takes_two)
@given(st.data())
def test_two_tensors_of_one_memory(op, data):
    """One array in two tensors, or one of them the other way round: each gets its own gradient all the same."""
    call, arrays, i, j = with_a_pair(data, op)
    if data.draw(st.booleans()):
        arrays[i] = np.flip(arrays[j])
        wanted = results(call, as_leaves([a.copy() for a in arrays]))
    else:
        wanted = results(call, as_leaves(arrays))
        arrays[i] = arrays[j]
    for actual, value in zip(results(call, as_leaves(arrays)), wanted, strict=True):
        np.testing.assert_allclose(actual, value, rtol=1e-12, atol=1e-12 * max(1, np.abs(value).max(initial=0)))


@on_every_op
@given(st.data())
def test_gy_may_be_the_output_or_an_input(op, data):
    """backward(y.data), as y·y/2 would hand it down; the values that forward saved lie in the same memory."""
    call = data.draw(calls(op))
    k = data.draw(st.integers(-1, len(call.shapes) - 1))  # −1: the output
    gradients = []
    for shared in (True, False):
        leaves = call.tensors()
        y = call(*leaves)
        other = y if k == -1 or y.shape != call.shapes[k] else leaves[k]
        y.backward(other.data if shared else other.data.copy("K"))
        gradients.append([x.grad for x in leaves])
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_array_equal(a, b)


@on_every_op
@given(st.data())
def test_nothing_that_came_in_is_written(op, data):
    """Neither the inputs nor gy, nor the output once it is out. Not guarded by read-only flags: those make copies."""
    call = data.draw(calls(op))
    leaves = call.tensors()
    inputs = [x.data.copy() for x in leaves]
    y = call(*leaves)
    gy, output = call.gy(y.shape), y.data.copy()
    handed = gy.copy()
    y.backward(handed)
    np.testing.assert_array_equal(handed, gy)
    np.testing.assert_array_equal(y.data, output)
    for x, before in zip(leaves, inputs, strict=True):
        np.testing.assert_array_equal(x.data, before)
    for a, b in combinations([handed, *(x.grad for x in leaves)], 2):
        assert not np.shares_memory(a, b)


@on_every_op
@given(st.data())
def test_bit_equal_again(op, data):
    """A second backward finds what forward saved as it was; and a second call computes the same."""
    call = data.draw(calls(op))
    leaves = call.tensors()
    y = call(*leaves)
    gy = call.gy(y.shape)
    y.backward(gy, retain_graph=True)
    first = taken(leaves)
    y.backward(gy)
    second = taken(leaves)
    y_again, *third = results(call, call.tensors(), gy)
    np.testing.assert_array_equal(y_again, y.data)
    for a, b, c in zip(first, second, third, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def taken(leaves):
    """The gradients, and the leaves without any."""
    gradients = [x.grad for x in leaves]
    for x in leaves:
        x.grad = None
    return gradients
