"""The compiled convolution at sizes that fill its tiles, and at sizes that do not (small ones: see test_rungs.py).

Held against `array/`, which test_rungs.py holds against `reference/`.
"""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import LAYOUTS, noted_calls

import tinyres_kernels.array as array
import tinyres_kernels.cpu as cpu
from tinyres_kernels.cpu import memory
from tinyres_kernels.windows import output_size

many = settings(max_examples=100, derandomize=True, deadline=None, database=None)
CHANNELS = st.sampled_from([1, 3, 8, 10, 16, 17, 32, 35, 64])
STRIDES = PADDINGS = st.sampled_from([(1, 1), (2, 2), (2, 1), (3, 4), (0, 0)])
DTYPES = st.sampled_from([np.float32, np.float64])


@st.composite
def convolutions(draw):
    """(x shape, w shape, stride, padding)"""
    KH, KW = draw(st.sampled_from([(3, 3), (1, 1), (5, 2), (7, 7)]))
    stride = tuple(max(1, s) for s in draw(STRIDES))
    padding = draw(PADDINGS)
    H, W = (max(draw(st.sampled_from([4, 7, 8, 16, 19])), k) for k in (KH, KW))
    N = draw(st.integers(1, 5))
    C, O = draw(CHANNELS), draw(CHANNELS)
    return (N, C, H, W), (O, C, KH, KW), stride, padding


def random(shape, dtype):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def operands(convolution, dtype):
    """x, w and a gy"""
    x_shape, w_shape, stride, padding = convolution
    P, Q = (output_size(x_shape[2 + k], w_shape[2 + k], stride[k], padding[k]) for k in (0, 1))
    return random(x_shape, dtype), random(w_shape, dtype), random((x_shape[0], w_shape[0], P, Q), dtype)


def three_directions(rung, convolution, x, w, gy):
    x_shape, w_shape, stride, padding = convolution
    yield rung.conv2d(x, w, stride, padding)
    yield rung.conv2d_grad_x(gy, w, x_shape, stride, padding)
    yield rung.conv2d_grad_w(gy, x, w_shape, stride, padding)


@many
@given(convolutions(), DTYPES)
def test_equals_the_array_rung(convolution, dtype):
    x, w, gy = operands(convolution, dtype)
    wanted = three_directions(array, convolution, *(a.astype(np.float64) for a in (x, w, gy)))
    for actual, exact in zip(three_directions(cpu, convolution, x, w, gy), wanted, strict=True):
        assert actual.dtype == dtype
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(actual, exact, rtol=tolerance, atol=tolerance * np.abs(exact).max())


TYPICAL = [  # (x shape, w shape, stride, padding)
    ((4, 16, 32, 32), (16, 16, 3, 3), (1, 1), (1, 1)),  # every tile full
    ((3, 16, 32, 32), (32, 16, 3, 3), (2, 2), (1, 1)),
    ((2, 16, 32, 32), (32, 16, 1, 1), (2, 2), (0, 0)),
    ((2, 10, 7, 7), (17, 10, 3, 3), (1, 1), (1, 1)),  # no tile full
    ((3, 32, 4, 4), (64, 32, 3, 3), (1, 1), (1, 1)),  # one place an image, several images in a tile
    ((2, 8, 6, 9), (16, 8, 2, 3), (1, 1), (0, 2)),
    ((1, 3, 9, 7), (10, 3, 3, 2), (3, 2), (5, 4)),  # one image; padding beyond the kernel
]
typical = pytest.mark.parametrize("convolution", TYPICAL, ids=str)


@typical
def test_every_element_is_written(convolution, monkeypatch):
    """New memory holds NaN here, so an element that is never written shows."""
    monkeypatch.setattr(memory, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))
    for result in three_directions(cpu, convolution, *operands(convolution, np.float32)):
        assert np.isfinite(result).all()


@typical
def test_nothing_is_written_beyond_the_result(convolution, monkeypatch):
    """The results, and the scratch arrays, lie between two guards, which must stay as they are."""
    guarded = []

    def empty(shape, dtype):
        room = np.full((shape[0] + 2, *shape[1:]), 1234, dtype)
        guarded.append(room)
        return room[1:-1]

    monkeypatch.setattr(memory, "empty", empty)
    list(three_directions(cpu, convolution, *operands(convolution, np.float32)))
    assert len(guarded) > 3
    assert all((room[[0, -1]] == 1234).all() for room in guarded)


@typical
def test_bit_equal_from_run_to_run(convolution):
    arrays = operands(convolution, np.float32)
    first, second = (list(three_directions(cpu, convolution, *arrays)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@typical
def test_any_number_of_threads(convolution):
    arrays = operands(convolution, np.float64)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = list(three_directions(cpu, convolution, *arrays))
    finally:
        numba.set_num_threads(before)
    for a, b in zip(one, three_directions(cpu, convolution, *arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@typical
def test_the_bytes_come_out_nhwc_whatever_layout_goes_in(convolution):
    arrays = operands(convolution, np.float32)
    for layout in LAYOUTS:
        laid = [layout(a) for a in arrays]
        wanted = three_directions(cpu, convolution, *(a.copy("C") for a in laid))
        for a in laid:
            a.flags.writeable = False  # numba has a type of its own for these
        results = list(three_directions(cpu, convolution, *laid))
        assert all(np.array_equal(a, b) for a, b in zip(results, wanted, strict=True))
        assert all(y.transpose(0, 2, 3, 1).flags.c_contiguous for y in results[:2])


@pytest.mark.parametrize("columns", [3, 2])
def test_nan_and_infinity_stay_where_they_belong(columns):
    """What a tile computes beyond an edge, or beyond the last channel, goes nowhere.

    In a 3×3 kernel (conv2d_winograd.py) they spread to the places that see them, but to no other image or channel.
    """
    convolution = (2, 3, 7, 7), (5, 3, 3, columns), (1, 1), (1, 1)
    x, w, gy = operands(convolution, np.float32)
    x[0, 0, 6, 6] = gy[0, 0, 6, 6] = np.nan
    x[1, 2, 0, 0] = gy[1, 4, 0, 0] = np.inf
    with np.errstate(invalid="ignore"):  # NumPy warns of ∞ − ∞
        wanted = list(three_directions(array, convolution, x, w, gy))
    for actual, exact in zip(three_directions(cpu, convolution, x, w, gy), wanted, strict=True):
        finite, exact_finite = np.isfinite(actual), np.isfinite(exact)
        assert not finite[~exact_finite].any()
        if columns == 3:
            finite, exact_finite = finite.all(axis=(2, 3)), exact_finite.all(axis=(2, 3))
        assert (finite == exact_finite).all()


@pytest.fixture
def asked_of_array(monkeypatch):
    """Names of the functions that were called on the rung below."""
    return noted_calls(monkeypatch, array, ("conv2d", "conv2d_grad_x", "conv2d_grad_w"))


def test_what_is_covered_does_not_go_to_the_array_rung(asked_of_array):
    for convolution in TYPICAL:
        list(three_directions(cpu, convolution, *operands(convolution, np.float32)))
    assert asked_of_array == []


@pytest.mark.parametrize(
    ("x_dtype", "w_dtype", "images"),
    [("int64", "int64", 2), ("f4", "f8", 2), (">f4", ">f4", 2), ("f2", "f2", 2), ("f4", "f4", 0)],
)
def test_what_is_not_covered_goes_to_the_array_rung(asked_of_array, x_dtype, w_dtype, images):
    x, w, gy = np.ones((images, 2, 4, 4), x_dtype), np.ones((3, 2, 3, 3), w_dtype), np.ones((images, 3, 4, 4), x_dtype)
    assert cpu.conv2d(x, w, (1, 1), (1, 1)).shape == gy.shape
    assert cpu.conv2d_grad_x(gy, w, x.shape, (1, 1), (1, 1)).shape == x.shape
    assert cpu.conv2d_grad_w(gy, x.astype(w_dtype), w.shape, (1, 1), (1, 1)).shape == w.shape
    assert asked_of_array[:2] == ["conv2d", "conv2d_grad_x"]
