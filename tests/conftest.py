"""For all tests: each starts from seed 0, so that none depends on which ran before it."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

import tinyres

pytest.register_assert_rewrite("networks", "support")
pytest_plugins = ["fault_table"]


@pytest.fixture(autouse=True)
def seed():
    tinyres.manual_seed(0)


@pytest.fixture
def no_gc():
    """Only reference counting frees memory here: a reference cycle would live on."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def undrawn(monkeypatch):
    """Initial weights are zeros that nobody has written yet: for large networks of which only the shapes matter.

    Drawing VGG-16 takes ten seconds. The system hands out zeros for nothing, and memory only where they are written.
    """

    def write_nothing(tensor, values):
        tensor.data = np.zeros(tensor.shape, tensor.dtype)

    nothing = SimpleNamespace(uniform=lambda *settings: None, normal=lambda *settings: None)
    monkeypatch.setattr("tinyres.nn.init.next_generator", lambda purpose: nothing)
    monkeypatch.setattr("tinyres.nn.init._write", write_nothing)
