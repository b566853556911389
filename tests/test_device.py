"""tinyres/device.py: which kernels serve, and where arrays go. (A GPU is not needed.)"""

import sys
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from support import noted_calls

import tinyres.device
import tinyres_kernels.array
import tinyres_kernels.cpu
import tinyres_kernels.gpu
import tinyres_kernels.numba_cuda
import tinyres_kernels.reference
from tinyres import Tensor
from tinyres.device import (
    device_of,
    is_array,
    kernels_for,
    kernels_through,
    to_device,
)
from tinyres.nn import functional as F

X = np.ones((1, 1, 3, 3))
RUNGS = [getattr(tinyres_kernels, name) for name in tinyres.device.RUNGS]


@pytest.mark.parametrize("rung", RUNGS)
def test_the_environment_forces_a_rung(rung, monkeypatch):
    name = rung.__name__.rpartition(".")[2]
    monkeypatch.setenv("TINYRES_KERNELS", name)
    assert kernels_for(X) is rung


def test_the_compiled_kernels_serve_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("TINYRES_KERNELS", raising=False)
    assert kernels_for(X) is tinyres_kernels.cpu


def test_without_numba_the_array_rung_serves(monkeypatch):
    monkeypatch.delenv("TINYRES_KERNELS", raising=False)
    monkeypatch.setattr(tinyres.device, "find_spec", lambda name: None)
    tinyres.device._has_numba.cache_clear()
    try:
        assert kernels_for(X) is tinyres_kernels.array
    finally:
        tinyres.device._has_numba.cache_clear()


def test_an_unknown_rung(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "fastest")
    with pytest.raises(ValueError, match="expected one of reference, array, cpu, numba_cuda, gpu; got 'fastest'"):
        kernels_for(X)


def test_the_ops_use_the_forced_rung(monkeypatch):
    seen = []

    def conv2d(x, w, stride, padding):
        seen.append(x.shape)
        return np.zeros((1, 1, 3, 3))

    monkeypatch.setattr(tinyres_kernels.reference, "conv2d", conv2d)
    monkeypatch.setenv("TINYRES_KERNELS", "reference")
    F.conv2d(Tensor(X), Tensor(X[..., :1, :1]))
    assert seen == [X.shape]


def test_sums_and_relus_use_it_too(monkeypatch):
    called = noted_calls(monkeypatch, tinyres_kernels.reference, ("add", "relu", "relu_grad_x"))
    monkeypatch.setenv("TINYRES_KERNELS", "reference")
    F.relu(Tensor(X, requires_grad=True) + 1).backward(X)
    assert called == ["add", "relu", "relu_grad_x"]


def test_on_the_cpu_nothing_is_copied():
    assert to_device(X, "cpu") is X
    assert device_of(X) == Tensor(X).device == "cpu"


def test_what_counts_as_an_array():
    assert is_array(X)
    assert not is_array([1.0]) and not is_array(np.float64(1))


def test_an_unknown_device():
    with pytest.raises(ValueError, match="device: expected 'cpu' or 'cuda', got 'tpu'"):
        to_device(X, "tpu")


def test_cuda_without_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(RuntimeError, match=r"device 'cuda' needs CuPy: pip install 'tinyres\[cuda13\]' \(or cuda12\)"):
        to_device(X, "cuda:0")


class OnGPU:
    """Looks like an array of CuPy's on the second GPU."""

    __module__ = "cupy._core.core"
    device = SimpleNamespace(id=1)

    def get(self):
        return X


def test_a_cupy_array_is_known_by_its_type(monkeypatch):
    monkeypatch.delenv("TINYRES_KERNELS", raising=False)
    array = OnGPU()
    assert kernels_for(array) is tinyres_kernels.gpu
    assert is_array(array)
    assert device_of(array) == "cuda:1"
    assert to_device(array, "cpu") is X


@pytest.mark.parametrize(("device", "index"), [("cuda", None), ("cuda:1", 1)])
def test_to_the_gpu_of_that_number(device, index, monkeypatch):
    chosen = []

    def choose(index):
        chosen.append(index)
        return nullcontext()

    array = OnGPU()
    cupy = SimpleNamespace(asarray=lambda a: array if a is X else None, cuda=SimpleNamespace(Device=choose))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    assert to_device(X, device) is array
    assert chosen == [index]


class Louder:
    """Kernels whose relu answers with ten times as much."""

    def __init__(self, kernels):
        self.kernels = kernels

    def relu(self, x):
        return 10 * self.kernels.relu(x)


def test_what_is_put_between_ops_and_kernels():
    x = Tensor([-1.0, 2.0])
    with pytest.raises(KeyError), kernels_through(Louder):
        assert F.relu(x).data.tolist() == [0, 20]
        raise KeyError
    assert F.relu(x).data.tolist() == [0, 2]


def test_only_this_thread_computes_through_it():
    seen = []
    with kernels_through(Louder):
        thread = threading.Thread(target=lambda: seen.append(F.relu(Tensor([2.0])).item()))
        thread.start()
        thread.join()
    assert seen == [2]
