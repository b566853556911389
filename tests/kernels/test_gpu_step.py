"""The kernels that only a recorded training step has: each compared with what it replaces on the host."""

import sys
from functools import partial

import numpy as np
import pytest
from cuda_on_cpu import emulator
from cuda_on_cpu.cupy_stand_in import gpu  # noqa: F401
from kernels.test_gpu import in_order

from tinyres import Tensor, optim
from tinyres.data import Dataset, Loader
from tinyres.device import to_device
from tinyres.scale.tables import table_of_draws, table_of_pixels
from tinyres_kernels.gpu import launch, sgd
from tinyres_kernels.gpu.augment import augment
from tinyres_kernels.gpu.tally import tally

pytestmark = [emulator.needs_compiler, pytest.mark.usefixtures("gpu")]
on_gpu = partial(to_device, device="cuda")
DTYPES = [np.float32, np.float64]


@pytest.fixture(params=[*emulator.ORDERS])
def any_order(request, monkeypatch):
    """The threads take turns in this order."""
    request.getfixturevalue("gpu")  # first, for it has a say in launch.load too
    monkeypatch.setattr(launch, "load", in_order(request.param, emulator.load))


def state(step, broken=0):
    return on_gpu(np.array([step, broken], np.int32))


def poisoned(monkeypatch):
    """New memory holds NaN, or −1."""

    def empty(like, shape, dtype=None):
        kind = np.dtype(like.dtype if dtype is None else dtype)
        return on_gpu(np.full(shape, np.nan if kind.kind == "f" else -1, kind))

    monkeypatch.setattr(sys.modules["tinyres_kernels.gpu.augment"], "empty", empty)


# ---- the batch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.usefixtures("any_order")
def test_batches_are_the_loaders_to_the_last_bit(dtype, augmented, monkeypatch):
    """All of two epochs, the smaller last ones too; of pictures of 24 × 16, whose axes cannot be exchanged."""
    poisoned(monkeypatch)
    draws = np.random.default_rng(0)
    pictures = draws.integers(0, 256, (13, 3, 24, 16), dtype=np.uint8)
    dataset = Dataset(pictures, draws.integers(0, 5, 13), tuple("abcde"), "noise")
    mean, std = np.array([0.3, 0.5, 0.61]), np.array([0.21, 0.3, 0.17])
    loader = Loader(dataset, 5, seed=2, shuffle=augmented, augment=augmented, mean=mean, std=std, dtype=dtype)
    images, labels, table = map(on_gpu, (pictures, dataset.labels.astype(np.int32), table_of_pixels(loader)))
    for epoch in range(2):
        drawn = on_gpu(table_of_draws(loader, epoch))
        for step, (x, y) in enumerate(loader.epoch(epoch)):
            there = augment(images, labels, drawn, table, state(step), len(y))
            assert there[0].dtype == dtype and there[0].transpose(0, 2, 3, 1).flags.c_contiguous
            np.testing.assert_array_equal(there[0].get(), x)
            np.testing.assert_array_equal(there[1].get(), y)


def test_draws_need_no_pictures_of_the_last_batch_that_are_not_there():
    dataset = Dataset(np.zeros((5, 3, 8, 8), np.uint8), np.zeros(5, np.int64), ("a",), "black")
    drawn = table_of_draws(Loader(dataset, 3, shuffle=True, augment=True), 0)
    assert drawn.shape == (2, 3, 4) and drawn.dtype == np.int32
    assert not drawn[1, 2].any() and sorted(drawn.reshape(-1, 4)[:5, 0]) == [0, 1, 2, 3, 4]


# ---- the tally -------------------------------------------------------------------------------------------------------


def tallied(scores, labels, losses, broken=0):
    """state, and the tables of three steps, after a tally in the second"""
    at, loss_of, correct_of = state(1, broken), on_gpu(np.full(3, -1.0)), on_gpu(np.full(3, -1, np.int32))
    tally(on_gpu(scores), on_gpu(labels.astype(np.int32)), on_gpu(losses), at, loss_of, correct_of)
    return at.tolist(), loss_of.get(), correct_of.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("images", [1, 7, 300])
@pytest.mark.usefixtures("any_order")
def test_tally(dtype, images):
    """Small whole numbers as scores: there are ties, and of those argmax takes the first."""
    draws = np.random.default_rng(images)
    scores, labels = draws.integers(0, 4, (images, 6)).astype(dtype), draws.integers(0, 6, images)
    losses = draws.standard_normal(images).astype(dtype)
    at, loss_of, correct_of = tallied(scores, labels, losses)
    np.testing.assert_allclose(loss_of, [-1, losses.astype(np.float64).mean(), -1], rtol=1e-12)
    assert correct_of == [-1, (scores.argmax(1) == labels).sum(), -1]
    assert at == [1, 0]


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_tally_of_a_loss_that_is_not_finite(loss):
    at, loss_of, _ = tallied(np.zeros((4, 2)), np.zeros(4, int), np.array([0, 0, loss, 0]))
    assert at == [1, 1]
    np.testing.assert_array_equal(loss_of[1], loss)


def test_tally_leaves_what_a_broken_step_wrote():
    at, loss_of, correct_of = tallied(np.zeros((4, 2)), np.zeros(4, int), np.zeros(4), broken=1)
    assert (at, loss_of.tolist(), correct_of) == ([1, 1], [-1, -1, -1], [-1, -1, -1])


def test_tally_misses_each_of_its_barriers(monkeypatch):
    """Planted: each in turn is taken out, and some order of the threads shows it."""
    text = (launch.FOLDER / "tally.cu").read_text(encoding="utf-8")
    pieces = text.split("__syncthreads();")
    draws = np.random.default_rng(0)
    scores, labels, losses = draws.standard_normal((300, 6)), draws.integers(0, 6, 300), draws.standard_normal(300)
    monkeypatch.setattr(launch, "load", emulator.load)
    wanted = tallied(scores, labels, losses)
    for k in range(len(pieces) - 1):
        less = "__syncthreads();".join([*pieces[:k], pieces[k] + pieces[k + 1], *pieces[k + 2 :]])
        found = []
        for order in emulator.ORDERS:

            def load(source, kernel, *defines, less=less):
                return emulator.Module(less, defines).get_function(kernel)

            monkeypatch.setattr(launch, "load", in_order(order, load))
            found.append(tallied(scores, labels, losses))
        assert any(not np.array_equal(one[1], wanted[1], equal_nan=False) for one in found), (
            f"nobody misses barrier {k}"
        )


# ---- SGD -------------------------------------------------------------------------------------------------------------

SHAPES = [(5, 3, 3, 3), (300, 2), (1,), (256,), (257,), (4, 2, 1, 1)]
SETTINGS = [
    {"momentum": 0.9, "weight_decay": 1e-2, "nesterov": True},
    {"momentum": 0.9, "weight_decay": 1e-2, "nesterov": False},
    {"momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
]


def laid(arrays, flat):
    """The arrays, each in its place of the flat one."""
    views = sgd.views(flat, [array.shape for array in arrays])
    for view, array in zip(views, arrays, strict=True):
        view[...] = array
    return views


def lying_as(parameter, gradient):
    """The gradient in new memory, in the parameter's order."""
    if gradient.ndim < 4:
        return on_gpu(gradient)
    return on_gpu(np.ascontiguousarray(gradient.transpose(2, 3, 1, 0))).transpose(3, 2, 0, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.usefixtures("any_order")
def test_sgd(dtype, settings):
    """Three steps, each at its own rate, as tinyres.optim.SGD makes them."""
    draws = np.random.default_rng(0)
    weights = [draws.standard_normal(shape).astype(dtype) for shape in SHAPES]
    parameters = [Tensor(w.copy(), requires_grad=True) for w in weights]
    optimizer, rates = optim.SGD(parameters, lr=1.0, **settings), np.array([0.5, 0.1, 0.3], dtype)
    flat, momenta = (on_gpu(np.zeros((sgd.pages_of(SHAPES), sgd.PAGE), dtype)) for _ in range(2))
    views, at = laid(weights, flat), state(0)
    for step, rate in enumerate(rates):
        gradients = [draws.standard_normal(shape).astype(dtype) for shape in SHAPES]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        there = [lying_as(view, gradient) for view, gradient in zip(views, gradients, strict=True)]
        pages, counts = map(on_gpu, sgd.page_table(there))
        chosen = settings["momentum"], settings["weight_decay"], settings["nesterov"]
        sgd.step(pages, counts, on_gpu(rates), at, flat, momenta, *chosen)
        assert at.tolist() == [step + 1, 0]
        for view, parameter in zip(views, parameters, strict=True):
            np.testing.assert_allclose(view.get(), parameter.data, rtol=1e-5 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 255, 256, 599])
def test_a_broken_gradient_stops_sgd(bad, place):
    gradients = [np.zeros(600)]
    gradients[0][place] = bad
    flat, momenta = on_gpu(np.ones((3, sgd.PAGE))), on_gpu(np.ones((3, sgd.PAGE)))
    at = state(0)
    there = list(map(on_gpu, gradients))
    pages, counts = map(on_gpu, sgd.page_table(there))
    for _ in range(2):
        sgd.step(pages, counts, on_gpu(np.ones(1)), at, flat, momenta, 0.9, 0.1, True)
    assert at.tolist() == [0, 1]
    assert (flat == 1).all() and (momenta == 1).all()
