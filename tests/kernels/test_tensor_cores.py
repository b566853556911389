"""Convolution on tensor cores, run here (tests/cuda_on_cpu): no farther from float64 than rounded factors must be.

Rounding to nearest moves a factor by a share of u at most, half of its last digit: u = 2⁻¹¹ in TF32 (11 significant
bits), 2⁻⁸ in bf16 (8 bits). So a product of two moves by a share of 2u + u². Products are exact in float32; of the sums
each of at most K additions rounds by a share of 2⁻²⁴ of what is summed, or of twice that, if a tensor core cuts off
instead of rounding. Together

    |y − exact| ≤ (2u + u² + 2⁻²³·(K + 8)) · Σ |a|·|b|

where the sum is the same convolution of absolute values, and 8 covers what terms of a higher order may add.
"""

import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from cuda_on_cpu import emulator
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyres_kernels.array as array
import tinyres_kernels.gpu as gpu
import tinyres_kernels.reference as reference
from tinyres import Tensor, manual_seed
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.nn import functional as F
from tinyres.scale.precision import using_products
from tinyres_kernels.gpu import launch
from tinyres_kernels.gpu.conv2d import pitch as pitch_of

pytestmark = [emulator.needs_compiler, pytest.mark.usefixtures("cuda_runs_here")]
UNIT = {"tf32": 2.0**-11, "bf16": 2.0**-8}
by_kind = pytest.mark.parametrize("kind", UNIT)
original_load = launch.load


def share(kind, K):
    """How far from exact a sum of K products may be, as a share of the sum of their absolute values."""
    u = UNIT[kind]
    return 2 * u + u * u + 2.0**-23 * (K + 8)


def nhwc(a):
    return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def draw(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_within_the_bound(kind, convolution, oracle, x_layout=nhwc):
    """All three directions, each element of each."""
    x_shape, w_shape, *how = convolution
    x, w = x_layout(draw(x_shape)), draw(w_shape, 1)
    y_shape = array.conv2d(x, w, *how).shape
    gy = nhwc(draw(y_shape, 2))
    N, O, P, Q = y_shape
    C, KH, KW = w_shape[1:]
    calls = {
        "conv2d": ((x, w), (), C * KH * KW),
        "conv2d_grad_x": ((gy, w), (x_shape,), O * KH * KW),
        "conv2d_grad_w": ((gy, x), (w_shape,), N * P * Q),
    }
    for name, (factors, shape, K) in calls.items():
        exact, most = (
            getattr(oracle, name)(*(change(f.astype(np.float64)) for f in factors), *shape, *how)
            for change in (lambda f: f, np.abs)
        )
        with using_products(kind):
            found = getattr(gpu, name)(*factors, *shape, *how)
        assert found.dtype == np.float32
        assert (np.abs(found - exact) <= share(kind, K) * most).all(), name
        assert not np.allclose(found, exact, rtol=0, atol=1e-6) or np.abs(exact).max() < 1e-3, f"{name}: not rounded"


def pairs(least, most):
    return st.tuples(st.integers(least, most), st.integers(least, most))


@st.composite
def convolutions(draw):
    """(x shape, w shape, stride, padding); channels by fours, which are fetched four at a time, and others"""
    (KH, KW), stride, padding = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(pairs(0, 3))
    H, W = (max(draw(st.integers(1, 9)), k - 2 * pad) for k, pad in zip((KH, KW), padding, strict=True))
    N, C, O = draw(st.integers(1, 2)), *(draw(st.sampled_from([1, 3, 4, 8, 12, 18, 20])) for _ in range(2))
    return (N, C, H, W), (O, C, KH, KW), stride, padding


@by_kind
@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(convolution=convolutions())
def test_small_shapes(kind, convolution):
    assert_within_the_bound(kind, convolution, array)


@by_kind
@pytest.mark.parametrize("channels", [(3, 5), (4, 8)], ids=["one by one", "by fours"])
def test_the_reference(kind, channels):
    """The loops themselves; test_rungs.py has shown that array code equals them, and it is faster."""
    C, O = channels
    assert_within_the_bound(kind, ((2, C, 5, 4), (O, C, 3, 2), (2, 1), (1, 0)), reference)


LARGE = {
    "more rows than a tile, not a multiple": ((3, 16, 13, 11), (16, 16, 3, 3), (1, 1), (1, 1)),
    "32 columns, a stride": ((2, 16, 16, 16), (32, 16, 3, 3), (2, 2), (1, 1)),
    "64 columns and more": ((2, 64, 9, 9), (68, 64, 3, 3), (1, 1), (1, 1)),
    "1×1": ((2, 24, 10, 10), (40, 24, 1, 1), (1, 1), (0, 0)),
    "a stride longer than the kernel": ((2, 18, 21, 24), (6, 18, 3, 3), (5, 4), (1, 1)),
    "the first layer": ((4, 3, 16, 16), (16, 3, 3, 3), (1, 1), (1, 1)),
    "more than one part of the depth": ((2, 8, 24, 24), (8, 8, 3, 3), (1, 1), (1, 1)),
}


@by_kind
@pytest.mark.parametrize("convolution", LARGE.values(), ids=LARGE)
def test_large_shapes(kind, convolution):
    assert_within_the_bound(kind, convolution, array)


@by_kind
def test_nchw_bytes_are_put_in_order(kind):
    assert_within_the_bound(kind, LARGE["32 columns, a stride"], array, x_layout=lambda a: a)


@by_kind
def test_the_bound_is_nearly_reached(kind):
    """Factors halfway between two of those that remain: a bound half as large would be broken."""
    u = UNIT[kind]
    halfway = np.float32(1 + u)  # TF32 goes up, away from zero; bf16 down, to the even one
    x, w = np.full((1, 4, 8, 8), halfway), np.full((4, 4, 1, 1), halfway)
    with using_products(kind):
        y = gpu.conv2d(x, w, (1, 1), (0, 0))
    exact = 4 * float(halfway) ** 2
    assert 0.95 * 2 * u < np.abs(y / exact - 1).max() <= share(kind, 4)


def test_float64_stays_float64():
    x, w = draw((1, 4, 6, 6)).astype(np.float64), draw((4, 4, 3, 3), 1).astype(np.float64)
    with using_products("bf16"):
        y = gpu.conv2d(x, w, (1, 1), (1, 1))
    np.testing.assert_allclose(y, array.conv2d(x, w, (1, 1), (1, 1)), rtol=1e-12, atol=1e-12)


@by_kind
def test_nan_and_infinity_are_handed_on(kind):
    x = np.zeros((1, 4, 6, 6), np.float32)
    x[0, 0, 0, 0], x[0, 1, 5, 5] = np.nan, -np.inf
    with using_products(kind):
        y = gpu.conv2d(nhwc(x), np.ones((4, 4, 1, 1), np.float32), (1, 1), (0, 0))
    assert np.isnan(y[0, :, 0, 0]).all() and (y[0, :, 5, 5] == -np.inf).all()
    assert np.isfinite(y).sum() == y.size - 8


# ---- how it is launched ----------------------------------------------------------------------------------------------


def defines_of(monkeypatch, x, w):
    asked = []

    def load(source, kernel, *defines):
        if source == "conv2d.cu":
            asked.append(defines)
        return emulator.load(source, kernel, *defines)

    monkeypatch.setattr(launch, "load", load)
    gpu.conv2d(x, w, (1, 1), (0, 0))
    return asked[0]


def test_the_setting_chooses_the_kernel(monkeypatch):
    x, w = nhwc(draw((1, 4, 4, 4))), draw((8, 4, 1, 1))
    assert not any(define.startswith("FACTOR") for define in defines_of(monkeypatch, x, w))
    for kind in UNIT:
        with using_products(kind):
            assert {f"FACTOR={kind}", "VECTOR=4"} < set(defines_of(monkeypatch, x, w))


@pytest.mark.parametrize(("C", "O"), [(3, 8), (4, 6)])
def test_other_channels_than_by_fours_are_fetched_one_by_one(C, O, monkeypatch):
    with using_products("tf32"):
        assert "VECTOR=1" in defines_of(monkeypatch, nhwc(draw((1, C, 4, 4))), draw((O, C, 1, 1)))


def test_so_are_numbers_that_lie_askew(monkeypatch):
    """Four at once must begin at a multiple of 16 bytes; these begin 4 after one."""
    memory = np.zeros(1 + 64, np.float32)
    start = 1 if memory.ctypes.data % 16 == 0 else 0
    x = memory[start : start + 64].reshape(1, 4, 4, 4).transpose(0, 3, 1, 2)
    x[...] = draw(x.shape)
    w = draw((4, 4, 1, 1), 1)
    assert x.ctypes.data % 16 != 0
    with using_products("tf32"):
        assert "VECTOR=1" in defines_of(monkeypatch, x, w)
        np.testing.assert_allclose(gpu.conv2d(x, w, (1, 1), (0, 0)), array.conv2d(x, w, (1, 1), (0, 0)), atol=1e-2)


PITCHES = """
#include "common.cuh"
#include "conv2d_mma.cuh"
extern "C" __global__ void pitches(int* y) { y[0] = PITCH, y[1] = PITCH_ACROSS, y[2] = PITCH_OF_GY; }
"""


@by_kind
@pytest.mark.parametrize("chunk", [16, 32, 64])
def test_lanes_that_read_together_find_different_banks(kind, chunk):
    told = np.zeros(3, np.int32)
    defines = "PIXELS=64", "COLUMNS=32", f"CHUNK={chunk}", "VECTOR=4", f"FACTOR={kind}"
    emulator.Module(PITCHES, ("real=float", *defines)).get_function("pitches")((1, 1, 1), (1, 1, 1), (told,))
    along, *across = told.tolist()
    rows, words = np.arange(8)[:, None], np.arange(4)
    eight_rows = [along, *(across if kind == "bf16" else ())]  # of 16 bytes, as load_matrices reads them
    for pitch in eight_rows:
        assert len(set(((rows * pitch + words) % 32).ravel())) == 32
    if kind == "tf32":  # words of four pixels, in eight columns
        for pitch in across:
            assert len(set(((words * pitch + rows) % 32).ravel())) == 32
    with using_products(kind):
        x = np.zeros((1, 1), np.float32)
        assert pitch_of(x, chunk, 4) == 4 * along and pitch_of(x, chunk, 8) >= 4 * across[0]
        assert pitch_of(x, 16, 8) >= 4 * across[1]


def test_an_old_gpu_is_refused(monkeypatch):
    cupy = SimpleNamespace(cuda=SimpleNamespace(Device=lambda: SimpleNamespace(compute_capability="75")))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with pytest.raises(RuntimeError, match=r"need a GPU of compute capability 8\.0 or newer, this one has 7\.5"):
        original_load("conv2d.cu", "conv2d", "real=float", "FACTOR=tf32")


# ---- a whole network -------------------------------------------------------------------------------------------------


def gradients(block, shortcut, dtype):
    manual_seed(0)
    model = ResNet(partial(block, shortcut=shortcut), (2, 1), (4, 8), 3).to(dtype=dtype)
    images = Tensor(np.random.default_rng(0).standard_normal((4, 3, 8, 8)).astype(dtype))
    loss = F.cross_entropy(model(images), np.array([0, 1, 2, 0]))
    loss.backward()
    return {name: p.grad.astype(np.float64) for name, p in model.named_parameters()}


def off_by(u, seed):
    """The array rung, but every factor of a convolution off by a whole share u, up or down as the draw has it."""
    draws = np.random.default_rng(seed)

    def off(function):
        def call(a, b, *rest):
            return function(*(f * (1 + u * draws.choice([-1, 1], f.shape)) for f in (a, b)), *rest)

        return call

    return {name: off(getattr(array, name)) for name in ("conv2d", "conv2d_grad_x", "conv2d_grad_w")}


@by_kind
@pytest.mark.parametrize(("block", "shortcut"), [(BasicBlock, "A"), (Bottleneck, "B")])
def test_the_gradients_of_a_network(kind, block, shortcut, monkeypatch):
    """No farther from float64's than where every factor is off by u, the most that rounding can do.

    How far that carries through batch norms, ReLUs and layers behind is not for a formula: it is tried, ten times.
    """
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    exact = gradients(block, shortcut, "float64")
    most = dict.fromkeys(exact, 0.0)
    for seed in range(10):
        with monkeypatch.context() as patch:
            for name, function in off_by(UNIT[kind], seed).items():
                patch.setattr(array, name, function)
            for name, gradient in gradients(block, shortcut, "float64").items():
                most[name] = max(most[name], np.linalg.norm(gradient - exact[name]))
    monkeypatch.setenv("TINYRES_KERNELS", "gpu")
    in_float32 = gradients(block, shortcut, "float32")
    with using_products(kind):
        found = gradients(block, shortcut, "float32")
    distances = {name: np.linalg.norm(gradient - exact[name]) for name, gradient in found.items()}
    assert {name for name in exact if distances[name] > most[name]} == set()
    rounding = sum(np.linalg.norm(in_float32[name] - exact[name]) for name in exact)
    assert sum(distances.values()) > 100 * rounding  # it was not float32
