"""Every rung of the ladder, through the whole op: the compiled kernels, array code, and loops give the same.

Kernels by themselves, over more sizes: tests/kernels/test_rungs.py.
"""

import numpy as np
import pytest
from cuda_on_cpu import emulator
from hypothesis import assume, given
from hypothesis import strategies as st
from properties.calls import EMPTY
from properties.every_op import OPS, WITH_KERNELS, calls, rung
from support import LAYOUTS, as_leaves, assert_equal, channels_last, results

from tinyres_kernels.cpu import memory

pytestmark = pytest.mark.usefixtures("cuda_runs_here")
on_ops_with_kernels = pytest.mark.parametrize("op", WITH_KERNELS)
LAYOUT = st.sampled_from([np.array, *LAYOUTS])


@pytest.mark.parametrize("faster", ["array", "cpu", pytest.param("gpu", marks=emulator.needs_compiler)])
@on_ops_with_kernels
@given(st.data(), st.sampled_from([np.float32, np.float64]))
def test_equals_the_reference(op, faster, data, dtype):
    call = data.draw(calls(op))
    assume(call.is_smooth())
    layout = data.draw(LAYOUT)
    inputs = [layout(a.astype(dtype)) for a in call.arrays()]
    with rung("reference"):
        wanted = results(call, as_leaves(inputs))
    with rung(faster):
        actual = results(call, as_leaves(inputs))
    assert [a.dtype for a in actual] == [dtype] * len(wanted)
    scale = max(1, *(np.abs(a).max(initial=0) for a in wanted))
    assert_equal(actual, wanted, tolerance=(2e-5 if dtype == np.float32 else 1e-11) * scale)  # see test_dtypes.py


@on_ops_with_kernels
@given(st.data())
def test_channels_last_beside_channels_first(op, data):
    """The two orders that the compiled kernels take as they are, mixed: where one lies first another lies elsewhere."""
    call = data.draw(calls(op).filter(lambda call: len(call.shapes[0]) > 2))
    with rung("reference"):
        wanted = results(call, call.tensors())
    layout = st.sampled_from([np.array, channels_last])
    gy, *inputs = [np.asarray(data.draw(layout)(a)) for a in (call.gy(wanted[0].shape), *call.arrays())]
    with rung("cpu"):
        assert_equal(results(call, as_leaves(inputs), gy), wanted)


@on_ops_with_kernels
@given(st.data())
def test_the_reference_equals_the_definition(op, data):
    call = data.draw(calls(op))
    with rung("reference"):
        np.testing.assert_allclose(call(*call.tensors()).data, call.defined(call.arrays()), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["reference", "array", "cpu"])
@pytest.mark.parametrize("op", [op for op in WITH_KERNELS if OPS[op].takes_empty])
@given(st.data())
def test_an_empty_batch(op, name, data):
    call = data.draw(calls(op, EMPTY))
    assume(any(0 in shape for shape in call.shapes))
    with rung(name):
        y, *gradients = results(call, call.tensors())
    assert y.shape == np.shape(call.defined(call.arrays()))
    assert [g.shape for g in gradients] == call.shapes
    assert not any(g.any() for g in gradients)


@on_ops_with_kernels
@given(st.data(), st.sampled_from([np.float32, np.float64]))
def test_every_element_is_written(op, data, dtype):
    """New memory, which holds whatever lay there before, holds NaN here."""
    call = data.draw(calls(op))
    layout = data.draw(LAYOUT)
    inputs = [layout(a.astype(dtype)) for a in call.arrays()]
    with rung("cpu"):
        wanted = results(call, as_leaves(inputs))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory, "empty", filled)
            actual = results(call, as_leaves(inputs))
    for a, b in zip(actual, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def filled(shape, dtype):
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -1, dtype)
