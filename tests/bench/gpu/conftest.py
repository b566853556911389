"""This processor stands in for a GPU: see tests/cuda_on_cpu/cupy_stand_in.py."""

import pytest
from cuda_on_cpu import cupy_stand_in
from cuda_on_cpu.cupy_stand_in import gpu  # noqa: F401

from bench.gpu import clock


@pytest.fixture
def card(monkeypatch, gpu):  # noqa: F811
    for name, value in {"WARM_UP": 1, "AT_ONCE": 2, "BUSY_THREADS": 256, "BUSY_ROUNDS": 1}.items():
        monkeypatch.setattr(clock, name, value)
    return cupy_stand_in
