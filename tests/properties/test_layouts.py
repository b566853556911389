"""How an input lies in memory, or that there is nothing in it, makes no difference to what an op computes."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from properties.calls import EMPTY
from properties.every_op import calls, on_every_op, on_ops
from support import LAYOUTS, as_leaves, assert_equal, results

import tinyres

LAYOUT = st.sampled_from([np.array, *LAYOUTS])


@on_every_op
@given(st.data())
def test_any_layout(op, data):
    """Negative strides, gaps, channels last, stride 0, each input and gy in another; and perhaps all read-only."""
    call = data.draw(calls(op))
    gy = call.gy(call(*call.tensors()).shape)
    laid = [np.asarray(data.draw(LAYOUT)(a)) for a in (gy, *call.arrays())]
    if data.draw(st.booleans()):
        for a in laid:
            a.flags.writeable = False
    contiguous = [a.copy("C") for a in laid]
    actual, wanted = (results(call, as_leaves(inputs), gy) for gy, *inputs in (laid, contiguous))
    # Equal but for the order of summation. Stride 0 may make a channel constant: then batch norm divides by √eps, and
    # rounding is multiplied along with the gradient.
    scale = max(1, *(np.abs(a).max(initial=0) for a in wanted))
    assert_equal(actual, wanted, tolerance=1e-10 * scale)


@on_ops(lambda op: op.takes_empty)
@given(st.data())
def test_inputs_without_elements(op, data):
    call = data.draw(calls(op, EMPTY))
    assume(any(0 in shape for shape in call.shapes))
    y, *gradients = results(call, call.tensors())
    wanted = call.defined(call.arrays())
    assert y.shape == np.shape(wanted)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
    assert [g.shape for g in gradients] == call.shapes
    if y.size == 0:
        assert not any(g.any() for g in gradients)
    tinyres.gradcheck(call, call.tensors())


@on_ops(lambda op: op.per_image)
@given(st.data())
def test_an_image_alone_gives_what_it_gives_in_the_batch(op, data):
    """And the parameters' gradients are the sum of what each image gives alone."""
    call = data.draw(calls(op))
    x, *parameters = call.arrays()
    gy = call.gy(call(*call.tensors()).shape)
    alone = [results(call, as_leaves([x[n : n + 1], *parameters]), gy[n : n + 1]) for n in range(len(x))]
    y, gx, *others = results(call, call.tensors(), gy)
    columns = list(zip(*alone, strict=True))
    wanted = [np.concatenate(columns[0]), np.concatenate(columns[1]), *(np.sum(c, 0) for c in columns[2:])]
    assert_equal([y, gx, *others], wanted)
