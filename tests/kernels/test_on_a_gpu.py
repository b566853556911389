"""The same kernels on a real GPU: `pytest -m gpu`, where there is one and CuPy is installed."""

import numpy as np
import pytest
from cuda_on_cpu import test_mma as fragments
from kernels.test_gpu import CALLS, call
from kernels.test_tensor_cores import share

import tinyres_kernels.array as array
import tinyres_kernels.gpu as gpu
from tinyres import Tensor, manual_seed, models, optim
from tinyres.data import Dataset, Loader
from tinyres.nn import functional as F
from tinyres.scale.captured import CapturedSteps
from tinyres.scale.tables import table_of_draws, table_of_pixels
from tinyres.train import train_step
from tinyres_kernels.gpu.augment import augment
from tinyres_kernels.gpu.launch import options


def has_gpu():
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except (ImportError, RuntimeError):  # CuPy's own error, if there is no driver, is a RuntimeError
        return False


pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not has_gpu(), reason="no GPU, or CuPy is not installed")]


def on_gpu(value):
    import cupy

    return cupy.asarray(value) if isinstance(value, np.ndarray) else value


def exact(value):
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def results(rung, name, convert):
    return call(rung, name, map(convert, CALLS[name]))


@pytest.mark.parametrize("kind", fragments.KINDS)
def test_every_element_of_a_fragment_has_its_place(kind):
    """Here a tensor core itself is asked, and not what stands in for it."""
    import cupy

    def load(text, *defines):
        return cupy.RawModule(code=text, options=options("real=float", *defines))

    fragments.assert_every_element_has_its_place(load, kind, device=cupy.asarray, host=cupy.asnumpy)


@pytest.mark.parametrize("name", CALLS)
def test_it_is_exact(name):
    """Float32 on the GPU against float64 here: no farther apart than float32 rounds, or TF32 and bf16."""
    kernel, _, kind = name.partition(" in ")
    for actual, wanted in zip(results(gpu, name, on_gpu), results(array, name, exact), strict=True):
        if kind:
            most = getattr(array, kernel)(*(np.abs(exact(a)) if isinstance(a, np.ndarray) else a for a in CALLS[name]))
            assert (np.abs(actual.get() - wanted) <= share(kind, most.size) * most).all()
        else:
            assert np.linalg.norm(actual.get() - wanted) <= 1e-5 * np.linalg.norm(wanted)


@pytest.mark.filterwarnings("ignore:.*Grid size")  # small ones keep few multiprocessors busy, which numba does not like
@pytest.mark.filterwarnings("ignore::DeprecationWarning:numba")  # numba-cuda 0.30 is older than NumPy 2.5
@pytest.mark.parametrize("name", ["conv2d", "conv2d_grad_x", "conv2d_grad_w"])
def test_numbas_kernels_are_exact(name):
    from tinyres_kernels import numba_cuda

    for actual, wanted in zip(results(numba_cuda, name, on_gpu), results(array, name, exact), strict=True):
        assert np.linalg.norm(actual.get() - wanted) < 1e-5 * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", CALLS)
def test_it_gives_the_same_bits_again(name):
    for a, b in zip(results(gpu, name, on_gpu), results(gpu, name, on_gpu), strict=True):
        np.testing.assert_array_equal(a.get(), b.get())


def test_recorded_steps_are_the_ordinary_ones():
    """Two epochs of ResNet-8 in float64, two full batches and a smaller one each: as a CUDA graph there, and here."""
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    dataset = Dataset(images, draws.integers(0, 10, 40), tuple("abcdefghij"), "noise")
    loader = Loader(dataset, 16, shuffle=True, augment=True, dtype=np.float64)
    chosen = {"momentum": 0.9, "weight_decay": 1e-4, "nesterov": True}
    here, there = (models.build("resnet8").to(device, "float64").train() for device in ("cpu", "cuda"))
    there.load_state_dict(here.state_dict())
    optimizer = optim.SGD(here.parameters(), lr=0.05, **chosen)
    steps = CapturedSteps(there, optim.SGD(there.parameters(), lr=0.05, **chosen), loader, 0.1)
    for epoch in range(2):
        steps.begin(epoch, 0, [0.05] * 3)
        for learnt, (x, y) in zip([*steps.run(2), *steps.run(1)], loader.epoch(epoch), strict=True):
            wanted = train_step(here, optimizer, Tensor(x), Tensor(y), label_smoothing=0.1)
            np.testing.assert_allclose(learnt.loss, wanted.loss, rtol=1e-8)
            assert learnt.correct == wanted.correct
    for name, values in here.state_dict().items():
        np.testing.assert_allclose(there.state_dict()[name], values, rtol=1e-6, atol=1e-9, err_msg=name)


def test_recorded_batches_are_the_loaders_to_the_last_bit():
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    dataset = Dataset(images, draws.integers(0, 10, 40), tuple("abcdefghij"), "noise")
    loader = Loader(dataset, 16, shuffle=True, augment=True, mean=np.full(3, 0.4), std=np.full(3, 0.3))
    arrays = images, dataset.labels.astype(np.int32), table_of_draws(loader, 3), table_of_pixels(loader)
    for step, (x, y) in enumerate(loader.epoch(3)):
        there = augment(*map(on_gpu, arrays), on_gpu(np.array([step, 0], np.int32)), len(y))
        np.testing.assert_array_equal(there[0].get(), x)
        np.testing.assert_array_equal(there[1].get(), y)


@pytest.mark.usefixtures("no_gc")
def test_dropped_steps_give_their_memory_back():
    model = models.build("resnet8").to("cuda")
    images = np.zeros((6, 3, 32, 32), np.uint8)
    loader = Loader(Dataset(images, np.zeros(6, np.int64), ("a",), "black"), 4)
    steps = CapturedSteps(model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9), loader, 0.0)
    steps.begin(0, 0, [0.1, 0.1])
    assert [score.images for score in steps.run(2)] == [4, 2]
    pools = [steps.recorded[size].graph.pool for size in (4, 2)]
    assert all(pool.total_bytes() > 0 for pool in pools)
    del steps
    assert [pool.total_bytes() for pool in pools] == [0, 0]


def test_a_gradient_that_is_nan_is_noticed():
    model = models.build("resnet8").to("cuda").train()
    images = np.zeros((8, 3, 32, 32), np.uint8)
    loader = Loader(Dataset(images, np.zeros(8, np.int64), ("a",), "black"), 4)
    steps = CapturedSteps(model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9), loader, 0.0)
    model.conv1.weight.data[...] = np.nan
    steps.begin(0, 0, [0.1, 0.1])
    assert steps.run(2) == [] and np.isnan(steps.broken_loss)


def test_training_goes_the_same_way():
    """Five steps of ResNet-8 in float64, there and here."""
    losses = {}
    for device in ("cpu", "cuda"):
        manual_seed(0)
        model = models.build("resnet8").to(device, "float64")
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        draws = np.random.default_rng(0)
        losses[device] = []
        for _ in range(5):
            images, labels = draws.standard_normal((16, 3, 32, 32)), draws.integers(0, 10, 16)
            loss = F.cross_entropy(model(Tensor(images).to(device)), Tensor(labels).to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[device].append(loss.item())
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-9)
