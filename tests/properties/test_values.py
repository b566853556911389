"""What an op computes: its definition, and what torch computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties.every_op import calls, on_every_op, on_ops
from support import assert_equal, results, torch_results

# float64, at most some hundred terms to a sum, all of about 1: off by 1e-14, and by 1e-12 where a batch norm divides by
# a small deviation. What goes wrong in an op is off by far more than 1e-10.


@on_every_op
@given(st.data())
def test_definition(op, data):
    call = data.draw(calls(op))
    y, wanted = call(*call.tensors()), call.defined(call.arrays())
    assert y.dtype == np.float64
    assert y.shape == np.shape(wanted)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-10, atol=1e-10)


@on_ops(lambda op: op.in_torch)
@given(st.data())
def test_torch(op, data):
    """Every gradient too."""
    pytest.importorskip("torch", reason="torch is not installed: test_gradients.py does without")
    call = data.draw(calls(op))
    assert_equal(results(call, call.tensors()), torch_results(call))
