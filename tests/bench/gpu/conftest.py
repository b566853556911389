"""A card that is this processor: see tests/cuda_on_cpu/standin.py."""

import sys

import pytest
from cuda_on_cpu import standin

from tinyres.bench.gpu import clock
from tinyres_kernels.gpu import launch


@pytest.fixture
def card(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", standin.CUPY)
    monkeypatch.setenv("TINYRES_KERNELS", "gpu")  # by their type, NumPy's arrays would go to the processor's kernels
    for name, value in {"AT_ONCE": 2, "BUSY_THREADS": 256, "BUSY_ROUNDS": 1}.items():
        monkeypatch.setattr(clock, name, value)
    launch.load.cache_clear()
    yield standin.CUPY
    launch.load.cache_clear()
