"""This processor stands in for a GPU: see tests/cuda_on_cpu/cupy_stand_in.py."""

import pytest
from cuda_on_cpu import cupy_stand_in
from cuda_on_cpu.cupy_stand_in import gpu  # noqa: F401

from bench.gpu import clock, training


@pytest.fixture
def card(monkeypatch, gpu):  # noqa: F811
    monkeypatch.setattr(clock, "WARM_UP", 1)
    monkeypatch.setattr(clock, "AT_ONCE", 3)
    monkeypatch.setattr(training, "IMAGES", 9)
    return cupy_stand_in
