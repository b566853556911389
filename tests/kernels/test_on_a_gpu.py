"""The same kernels on a real GPU: `pytest -m gpu`, where there is one and CuPy is installed."""

import numpy as np
import pytest
from cuda_on_cpu import test_mma as fragments
from kernels.test_gpu import CALLS, call
from kernels.test_tensor_cores import share

import tinyres_kernels.array as array
import tinyres_kernels.gpu as gpu
from tinyres import Tensor, manual_seed, models, optim
from tinyres.nn import functional as F
from tinyres_kernels.gpu.launch import FOLDER


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
        options = ("--std=c++17", f"-I{FOLDER}", "-Dreal=float", *(f"-D{define}" for define in defines))
        return cupy.RawModule(code=text, options=options)

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


@pytest.mark.parametrize("name", ["conv2d", "conv2d_grad_x", "conv2d_grad_w"])
def test_numbas_kernels_are_exact(name):
    from tinyres_kernels import numba_cuda

    for actual, wanted in zip(results(numba_cuda, name, on_gpu), results(array, name, exact), strict=True):
        assert np.linalg.norm(actual.get() - wanted) < 1e-5 * np.linalg.norm(wanted)


@pytest.mark.parametrize("name", CALLS)
def test_it_gives_the_same_bits_again(name):
    for a, b in zip(results(gpu, name, on_gpu), results(gpu, name, on_gpu), strict=True):
        np.testing.assert_array_equal(a.get(), b.get())


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
