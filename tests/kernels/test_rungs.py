"""Every rung of the ladder equals `reference/`: hypothesis picks shapes, strides, paddings, layouts and dtypes.

A new rung joins by adding its module to RUNGS.
"""

import numpy as np
import pytest
from cuda_on_cpu import emulator
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinyres_kernels.array
import tinyres_kernels.cpu
import tinyres_kernels.gpu
import tinyres_kernels.reference as reference
from tinyres_kernels.gpu import channels as gpu_channels
from tinyres_kernels.windows import output_size

RUNGS = [
    tinyres_kernels.array,
    tinyres_kernels.cpu,
    pytest.param(tinyres_kernels.gpu, marks=emulator.needs_compiler),  # on the processor: see tests/cuda_on_cpu
]
NOT_COMPILED = [rung for rung in RUNGS if rung is not tinyres_kernels.cpu]  # the cpu rung takes these from array/


pytestmark = pytest.mark.usefixtures("compiled_kernels_take_small_arrays", "cuda_runs_here")


@pytest.fixture(autouse=True, scope="module")
def few_blocks():
    """Fewer blocks, each of more rows: in the emulator, a GPU's thread is a thousand times as slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_channels, "MOST_BLOCKS", 8)
        yield


def on(rungs):
    return pytest.mark.parametrize("rung", rungs, ids=lambda rung: rung.__name__.rpartition(".")[2])


def test_what_the_cpu_rung_takes_from_the_array_rung():
    kernels = ["batch_norm_track", "cross_entropy", "cross_entropy_grad_x", "linear", "spread"]
    kernels += ["linear_grad_x", "linear_grad_w", "linear_grad_b"]
    for kernel in kernels:
        assert getattr(tinyres_kernels.cpu, kernel) is getattr(tinyres_kernels.array, kernel)


FLOATS = st.sampled_from([np.float32, np.float64])
# derandomize: the same examples every time, so that a failure is not a matter of luck.
many = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def small(least, most):
    return st.integers(least, most)


def pairs(least, most):
    return st.tuples(small(least, most), small(least, most))


def nchw(a):
    return a


def nhwc(a):
    return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def sliced(a):
    """Every second element of a larger array, backwards along the last axis."""
    larger = np.full([2 * n + 1 for n in a.shape], np.nan, a.dtype)
    view = larger[1::2, 1::2, 1::2, -2::-2]
    view[...] = a
    return view


LAYOUTS = st.sampled_from([nchw, nhwc, sliced])


def random(shape, dtype, layout):
    return layout(np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape).astype(dtype))


def assert_close(actual, wanted):
    """Equal but for the order of summation."""
    assert actual.dtype == wanted.dtype
    tolerance = 1e-4 if actual.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


@st.composite
def convolutions(draw):
    """(x shape, w shape, stride, padding): the kernel fits, but stride and padding may exceed it."""
    (KH, KW), stride, padding = draw(pairs(1, 5)), draw(pairs(1, 4)), draw(pairs(0, 6))
    H, W = (max(draw(small(1, 12)), k - 2 * pad) for k, pad in zip((KH, KW), padding, strict=True))
    N, C, O = draw(small(1, 3)), draw(small(1, 4)), draw(small(1, 4))
    return (N, C, H, W), (O, C, KH, KW), stride, padding


@on(RUNGS)
@many
@given(convolutions(), FLOATS, LAYOUTS, LAYOUTS)
def test_conv2d(rung, convolution, dtype, x_layout, gy_layout):
    x_shape, w_shape, stride, padding = convolution
    x, w = random(x_shape, dtype, x_layout), random(w_shape, dtype, x_layout)
    y = reference.conv2d(x, w, stride, padding)
    gy = random(y.shape, dtype, gy_layout)
    assert_close(rung.conv2d(x, w, stride, padding), y)
    for gradient, other, shape in (("conv2d_grad_x", w, x_shape), ("conv2d_grad_w", x, w_shape)):
        wanted = getattr(reference, gradient)(gy, other, shape, stride, padding)
        assert_close(getattr(rung, gradient)(gy, other, shape, stride, padding), wanted)


@st.composite
def poolings(draw):
    """(x shape, kernel, stride, padding, ceil_mode): padding at most half the kernel, as the ops demand."""
    kernel, stride = draw(pairs(1, 5)), draw(pairs(1, 6))
    padding = tuple(draw(small(0, k // 2)) for k in kernel)
    H, W = (max(draw(small(1, 12)), k - 2 * pad) for k, pad in zip(kernel, padding, strict=True))
    return (draw(small(1, 3)), draw(small(1, 4)), H, W), kernel, stride, padding, draw(st.booleans())


@on(RUNGS)
@many
@given(poolings(), FLOATS, LAYOUTS, LAYOUTS, st.sampled_from(["no ties", "ties", "ties of -inf"]))
def test_max_pool2d(rung, pooling, dtype, x_layout, gy_layout, ties):
    x_shape, *windows, ceil_mode = pooling
    x = random(x_shape, dtype, x_layout)
    if ties == "ties":
        x = np.sign(x)
    if ties == "ties of -inf":  # whole windows of them, some of which begin in the padding
        x[x < 1] = -np.inf
    y, argmax = reference.max_pool2d(x, *windows, ceil_mode)
    gy = random(y.shape, dtype, gy_layout)
    actual_y, actual_argmax = rung.max_pool2d(x, *windows, ceil_mode)
    assert_close(actual_y, y)
    np.testing.assert_array_equal(actual_argmax, argmax)
    wanted = reference.max_pool2d_grad_x(gy, argmax, x_shape, *windows)
    assert_close(rung.max_pool2d_grad_x(gy, argmax, x_shape, *windows), wanted)


@on(RUNGS)
@many
@given(poolings(), FLOATS, LAYOUTS, LAYOUTS, st.booleans())
def test_avg_pool2d(rung, pooling, dtype, x_layout, gy_layout, count_include_pad):
    x_shape, *windows, ceil_mode = pooling
    x = random(x_shape, dtype, x_layout)
    y = reference.avg_pool2d(x, *windows, ceil_mode, count_include_pad)
    gy = random(y.shape, dtype, gy_layout)
    assert_close(rung.avg_pool2d(x, *windows, ceil_mode, count_include_pad), y)
    wanted = reference.avg_pool2d_grad_x(gy, x_shape, *windows, count_include_pad)
    assert_close(rung.avg_pool2d_grad_x(gy, x_shape, *windows, count_include_pad), wanted)


@on(RUNGS)
def test_max_pool2d_hands_on_nan(rung):
    x = np.array([[[[np.nan, 1.0, 2.0, np.nan], [3.0, 4.0, np.inf, 5.0]]]])
    (y, argmax), (wanted_y, wanted_argmax) = (r.max_pool2d(x, (2, 2), (1, 1), (0, 0), False) for r in (rung, reference))
    np.testing.assert_array_equal(y, wanted_y)
    np.testing.assert_array_equal(argmax, wanted_argmax)


@on(RUNGS)
def test_conv2d_of_a_batch_larger_than_one_chunk(rung):
    """Rungs may cut the batch into portions: 40 images in portions of unequal size give what each gives alone."""
    x, w = random((40, 8, 20, 20), np.float64, nchw), random((4, 8, 5, 5), np.float64, nchw)
    y = rung.conv2d(x, w, (1, 1), (2, 2))
    alone = np.concatenate([rung.conv2d(x[n : n + 1], w, (1, 1), (2, 2)) for n in range(40)])
    assert_close(y, alone)
    gw = sum(rung.conv2d_grad_w(y[n : n + 1], x[n : n + 1], w.shape, (1, 1), (2, 2)) for n in range(40))
    np.testing.assert_allclose(rung.conv2d_grad_w(y, x, w.shape, (1, 1), (2, 2)), gw, rtol=1e-9, atol=1e-9)


@on(RUNGS)
@pytest.mark.parametrize("layout", [nchw, nhwc])
def test_conv2d_comes_out_nhwc(rung, layout):
    """Whatever came in: the ops that follow keep the order they find, and this one suits them all."""
    x, w = random((2, 4, 6, 5), np.float32, layout), random((3, 4, 3, 3), np.float32, layout)
    y = rung.conv2d(x, w, (1, 1), (1, 1))
    gx = rung.conv2d_grad_x(y, w, x.shape, (1, 1), (1, 1))
    for a in (y, gx):
        assert a.transpose(0, 2, 3, 1).flags.c_contiguous


# ---- laws that hold on every rung, reference included ----------------------------------------------------------------


@on([reference, *RUNGS])
@many
@given(convolutions())
def test_conv2d_adjoint_identity(rung, convolution):
    """⟨conv(x, w), gy⟩ = ⟨x, grad_x⟩ = ⟨w, grad_w⟩, for convolution is linear in x and in w."""
    x_shape, w_shape, stride, padding = convolution
    x, w = random(x_shape, np.float64, nchw), random(w_shape, np.float64, nchw)
    y = rung.conv2d(x, w, stride, padding)
    gy = random(y.shape, np.float64, nchw)
    gx = rung.conv2d_grad_x(gy, w, x_shape, stride, padding)
    gw = rung.conv2d_grad_w(gy, x, w_shape, stride, padding)
    np.testing.assert_allclose([np.vdot(x, gx), np.vdot(w, gw)], np.vdot(y, gy), rtol=1e-9, atol=1e-9)


@on([reference, *RUNGS])
@many
@given(poolings(), st.booleans())
def test_avg_pool2d_adjoint_identity(rung, pooling, count_include_pad):
    x_shape, *windows, ceil_mode = pooling
    x = random(x_shape, np.float64, nchw)
    y = rung.avg_pool2d(x, *windows, ceil_mode, count_include_pad)
    gy = random(y.shape, np.float64, nchw)
    gx = rung.avg_pool2d_grad_x(gy, x_shape, *windows, count_include_pad)
    np.testing.assert_allclose(np.vdot(x, gx), np.vdot(y, gy), rtol=1e-9, atol=1e-9)


@many
@given(convolutions())
def test_output_size_is_what_conv2d_gives(convolution):
    x_shape, w_shape, stride, padding = convolution
    y = reference.conv2d(np.zeros(x_shape), np.zeros(w_shape), stride, padding)
    assert y.shape[2:] == tuple(output_size(*a) for a in zip(x_shape[2:], w_shape[2:], stride, padding, strict=True))


# ---- batch norm, alone and with what follows it ----------------------------------------------------------------------


@st.composite
def channels(draw):
    """The shape of an x: rows or images, small ones and one so large that every rung cuts it into portions.

    The large one has about 20,000 numbers (a block of cpu/rows.py holds 8,192 of float32, a part on a GPU 64 rows).
    """
    C = draw(st.sampled_from([1, 2, 3, 10, 16, 17, 64, 300]))
    large = (min(163, 20_000 // (35 * C) + 1), C, 5, 7)
    return draw(st.sampled_from([(2, C), (1, C, 7, 7), (3, C, 1, 5), (5, C, 4, 3), (2, C, 9), large]))


def normalisation(shape, dtype, layout):
    """x, and a gamma, mean, r and beta for each channel; some gates stand open always, some never"""
    draws = np.random.default_rng(sum(shape))
    x = random(shape, dtype, layout) if len(shape) == 4 else random((*shape, 1), dtype, nchw).reshape(shape)
    mean, r, gamma, beta = (draws.uniform(-2, 2, shape[1]).astype(dtype) for _ in range(4))
    return x, mean, np.abs(r), gamma, beta


def images(shape, dtype, layout, seed):
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return layout(values) if len(shape) == 4 else values


@on(RUNGS)
@many
@given(channels(), FLOATS, LAYOUTS, LAYOUTS)
def test_batch_norm(rung, shape, dtype, x_layout, gy_layout):
    x, mean, r, gamma, beta = normalisation(shape, dtype, x_layout)
    gy = images(shape, dtype, gy_layout, 1)
    statistics = (r.batch_norm_statistics(x, 0.1) for r in (rung, reference))
    for actual, wanted in zip(*statistics, strict=True):
        assert_close(actual, wanted)
    assert_close(rung.batch_norm(x, mean, r, gamma, beta), reference.batch_norm(x, mean, r, gamma, beta))
    sums = reference.batch_norm_grad_sums(gy, x, mean, r)
    for actual, wanted in zip(rung.batch_norm_grad_sums(gy, x, mean, r), sums, strict=True):
        assert_sums_close(actual, wanted, x)
    wanted = reference.batch_norm_grad_x(gy, x, mean, r, gamma, *sums)
    assert_close(rung.batch_norm_grad_x(gy, x, mean, r, gamma, *sums), wanted)


@on(RUNGS)
@many
@given(channels(), FLOATS, LAYOUTS, LAYOUTS)
def test_batch_norm_relu(rung, shape, dtype, x_layout, gy_layout):
    x, mean, r, gamma, beta = normalisation(shape, dtype, x_layout)
    gy = images(shape, dtype, gy_layout, 1)
    y = reference.batch_norm_relu(x, mean, r, gamma, beta)
    assert_close(rung.batch_norm_relu(x, mean, r, gamma, beta), y)
    gy *= np.abs(reference.batch_norm(x, mean, r, gamma, beta)) > 1e-4  # nearer, rounding decides if the gate is open
    sums = reference.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta)
    for actual, wanted in zip(rung.batch_norm_relu_grad_sums(gy, x, mean, r, gamma, beta), sums, strict=True):
        assert_sums_close(actual, wanted, x)
    wanted = reference.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, *sums)
    assert_close(rung.batch_norm_relu_grad_x(gy, x, mean, r, gamma, beta, *sums), wanted)


@on(RUNGS)
@many
@given(channels(), FLOATS, LAYOUTS, LAYOUTS)
def test_batch_norm_add_relu(rung, shape, dtype, x_layout, other_layout):
    x, mean, r, gamma, beta = normalisation(shape, dtype, x_layout)
    residual, gy = (images(shape, dtype, other_layout, seed) for seed in (1, 2))
    y = reference.batch_norm_add_relu(x, residual, mean, r, gamma, beta)
    assert_close(rung.batch_norm_add_relu(x, residual, mean, r, gamma, beta), y)
    g, *sums = reference.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
    actual_g, *actual_sums = rung.batch_norm_add_relu_grad_sums(gy, y, x, mean, r)
    np.testing.assert_array_equal(actual_g, g)
    for actual, wanted in zip(actual_sums, sums, strict=True):
        assert_sums_close(actual, wanted, x)


@on(NOT_COMPILED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("values", [2, 640])
def test_batch_norm_track(rung, dtype, values):
    """The running statistics move, and in place."""
    running_mean, running_var, mean, var = (random((300 + k,), dtype, np.array)[:300] for k in range(4))
    wanted = running_mean.copy(), running_var.copy()
    reference.batch_norm_track(*wanted, mean, var, 0.1, values)
    rung.batch_norm_track(running_mean, running_var, mean, var, 0.1, values)
    assert_close(running_mean, wanted[0])
    assert_close(running_var, wanted[1])


def assert_sums_close(actual, wanted, x):
    """Equal but for the order of summation of M values of about 1."""
    assert actual.dtype == wanted.dtype
    tolerance = x.size // x.shape[1] * np.finfo(x.dtype).eps * 8
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


def around(mean, dtype):
    """128 images, 3 channels of mean `mean` and variance about 1"""
    return nhwc(np.random.default_rng(0).standard_normal((128, 3, 16, 16)) + mean).astype(dtype, order="K")


@on([tinyres_kernels.cpu])
@pytest.mark.parametrize("mean", [0, 10, 1000])
def test_batch_norm_statistics_are_as_exact_as_float32_can_say(rung, mean):
    """Against the same numbers in float64. A variance as mean(x²) − mean(x)² would be lost from a mean of 1000 on."""
    x = around(mean, np.float32)
    exact = x.astype(np.float64)
    actual_mean, actual_var, _ = rung.batch_norm_statistics(x, 0.0)
    np.testing.assert_allclose(actual_mean, exact.mean((0, 2, 3)), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(actual_var, exact.var((0, 2, 3)), rtol=1e-6)


@on(RUNGS)
def test_batch_norm_hands_on_nan(rung):
    """Through the ReLU too: a NaN that vanished there would hide where the training broke."""
    x = nhwc(np.ones((2, 3, 4, 4)))
    x[1, 2, 0, 3] = np.nan
    ones, zeros = np.ones(3), np.zeros(3)
    assert np.isnan(rung.batch_norm_statistics(x, 0.1)[0]).tolist() == [False, False, True]
    ys = rung.batch_norm_relu(x, zeros, ones, ones, zeros), rung.batch_norm_add_relu(x, x, zeros, ones, ones, zeros)
    for y in ys:
        assert np.argwhere(np.isnan(y)).tolist() == [[1, 2, 0, 3]]


@on(RUNGS)
def test_an_empty_batch(rung):
    empty, three = np.zeros((0, 3, 4, 4), np.float32), np.ones(3, np.float32)
    y = rung.batch_norm_add_relu(empty, empty, three, three, three, three)
    assert y.shape == empty.shape and y.dtype == np.float32
    assert rung.batch_norm_relu(empty, three, three, three, three).shape == empty.shape
    for y in (rung.add(empty, empty), rung.relu(empty), rung.relu_grad_x(empty, empty)):
        assert y.shape == empty.shape and y.dtype == np.float32


# ---- what a network ends with ----------------------------------------------------------------------------------------


def matrix(shape, dtype, layout):
    """In the order of its axes, transposed, or backwards with gaps."""
    values = np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)
    if layout is nhwc:
        return np.asfortranarray(values)
    return values if layout is nchw else sliced(values[:, :, None, None])[:, :, 0, 0]


def one_long(*longest):
    """Sizes, all small but one: the reference multiplies number by number."""
    k = st.sampled_from(range(len(longest)))
    return k.flatmap(lambda k: st.tuples(*(small(1, most if i == k else 5) for i, most in enumerate(longest))))


@on(NOT_COMPILED)
@many
@given(one_long(40, 40, 70), FLOATS, LAYOUTS, LAYOUTS)
@example((37, 33, 70), np.float32, nchw, nhwc)  # all long: many tiles in both directions
@example((40, 35, 17), np.float64, nhwc, nchw)
@example((17, 40, 65), np.float64, sliced, sliced)
def test_linear(rung, sizes, dtype, x_layout, w_layout):
    N, I, O = sizes
    x, w, gy = matrix((N, I), dtype, x_layout), matrix((O, I), dtype, w_layout), matrix((N, O), dtype, w_layout)
    b = gy[0]
    assert_close(rung.linear(x, w, b), reference.linear(x, w, b))
    assert_close(rung.linear(x, w, None), reference.linear(x, w, None))
    assert_close(rung.linear_grad_x(gy, w), reference.linear_grad_x(gy, w))
    assert_close(rung.linear_grad_w(gy, x), reference.linear_grad_w(gy, x))
    assert_close(rung.linear_grad_b(gy), reference.linear_grad_b(gy))


@on(NOT_COMPILED)
@many
@given(st.tuples(small(1, 20), small(1, 70)), FLOATS, LAYOUTS, st.sampled_from([np.uint8, np.int32, np.int64]))
def test_cross_entropy(rung, shape, dtype, layout, kind):
    x, labels = matrix(shape, dtype, layout) * 20, np.arange(shape[0]).astype(kind) % shape[1]
    for smoothing in (0.0, 0.3):
        wanted_losses, p = reference.cross_entropy(x, labels, smoothing)
        losses, actual_p = rung.cross_entropy(x, labels, smoothing)
        assert_close(losses, wanted_losses)
        assert_close(actual_p, p)
        gy = x[:, 0]
        wanted = reference.cross_entropy_grad_x(gy, p, labels, smoothing)
        assert_close(rung.cross_entropy_grad_x(gy, p, labels, smoothing), wanted)


@on([reference, *RUNGS])
def test_cross_entropy_of_large_scores_and_of_nan(rung):
    x = np.array([[1000.0, 0.0, -1000.0], [0.0, np.nan, 1.0]])
    losses, p = rung.cross_entropy(x, np.array([1, 0]), 0.0)
    np.testing.assert_array_equal(losses, [1000, np.nan])
    np.testing.assert_array_equal(p, [[1, 0, 0], [np.nan] * 3])


@st.composite
def spreads(draw):
    """(x shape, y shape, first, step): x fits; so do a border and gaps."""
    axes = draw(st.lists(st.tuples(small(0, 4), small(0, 3), small(1, 3), small(0, 3)), min_size=0, max_size=5))
    shape = tuple(first + max(0, (n - 1) * step + 1) + rest for n, first, step, rest in axes)
    x_shape, first, step = (tuple(axis[k] for axis in axes) for k in range(3))
    return x_shape, shape, first, step


@on(NOT_COMPILED)
@many
@given(spreads(), FLOATS, LAYOUTS, st.sampled_from([0.0, 7.0]))
@example(((2, 8, 3, 3), (2, 16, 7, 8), (0, 4, 1, 0), (1, 1, 2, 3)), np.float32, nhwc, 7.0)  # in vectors of four
@example(((2, 8, 3, 3), (2, 16, 7, 8), (0, 2, 1, 0), (1, 1, 2, 3)), np.float32, nhwc, 7.0)  # and just not
def test_spread(rung, sizes, dtype, layout, value):
    x_shape, shape, first, step = sizes
    x = images(x_shape, dtype, layout, 0)
    y = rung.spread(x, shape, first, step, value)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, reference.spread(x, shape, first, step, value))


@on(RUNGS)
@pytest.mark.parametrize("layout", [nchw, nhwc])
def test_spread_stays_in_its_order(rung, layout):
    y = rung.spread(random((2, 3, 4, 5), np.float32, layout), (2, 6, 8, 9), (0, 1, 0, 0), (1, 1, 2, 2), 0.0)
    lying = y if layout is nchw else y.transpose(0, 2, 3, 1)
    assert lying.flags.c_contiguous


# ---- element by element ----------------------------------------------------------------------------------------------


@st.composite
def broadcasts(draw):
    """Two shapes that broadcast: either may lack axes on the left or have length 1 where the other has more."""
    shape = draw(st.lists(small(0, 4), max_size=4))
    kept = draw(st.tuples(*[st.lists(st.booleans(), min_size=len(shape), max_size=len(shape))] * 2))
    a, b = (tuple(n if keep else 1 for n, keep in zip(shape, side, strict=True)) for side in kept)
    return a, b[draw(small(0, len(b))) :]


@on(RUNGS)
@many
@given(broadcasts(), st.tuples(*[st.sampled_from([np.float32, np.float64, np.int64])] * 2))
def test_add_broadcasts(rung, shapes, dtypes):
    a, b = (np.random.default_rng(0).uniform(-9, 9, s).astype(d) for s, d in zip(shapes, dtypes, strict=True))
    for one, other in ((a, b), (b, a)):
        y, wanted = rung.add(one, other), reference.add(one, other)
        assert y.shape == wanted.shape and y.dtype == wanted.dtype
        np.testing.assert_array_equal(y, wanted)


@on(RUNGS)
@many
@given(st.tuples(*[small(0, 5)] * 4), FLOATS, LAYOUTS, LAYOUTS)
def test_elements(rung, shape, dtype, a_layout, b_layout):
    a, b = images(shape, dtype, a_layout, 1), images(shape, dtype, b_layout, 2)
    y = reference.relu(a)
    for actual, wanted in (
        (rung.add(a, b), reference.add(a, b)),
        (rung.relu(a), y),
        (rung.relu_grad_x(b, y), reference.relu_grad_x(b, y)),
        (rung.relu_grad_x(b, rung.relu(a)), reference.relu_grad_x(b, y)),
    ):
        assert actual.dtype == dtype
        np.testing.assert_array_equal(actual, wanted)


@on(RUNGS)
@pytest.mark.parametrize("layout", [nchw, nhwc])
def test_elements_stay_in_their_order(rung, layout):
    x = random((2, 3, 4, 5), np.float32, layout)
    for y in (rung.add(x, x), rung.relu(x), rung.relu_grad_x(x, x)):
        assert y.strides == x.strides


@on([reference, *RUNGS])
def test_relu_hands_on_nan_and_shuts_at_zero(rung):
    x = np.array([np.nan, -np.inf, -1.0, -0.0, 0.0, 2.0, np.inf])
    y = rung.relu(x)
    np.testing.assert_array_equal(y, [np.nan, 0, 0, 0, 0, 2, np.inf])
    np.testing.assert_array_equal(rung.relu_grad_x(np.full(7, 5.0), y), [0, 0, 0, 0, 0, 5, 5])
