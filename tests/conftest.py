"""For all tests: each starts from seed 0, so that none depends on which ran before it."""

import gc

import pytest

import tinyres
from tinyres.nn import init

pytest.register_assert_rewrite("networks", "support")
pytest_plugins = ["fault_table"]


@pytest.fixture(autouse=True)
def seed():
    tinyres.manual_seed(0)


@pytest.fixture
def no_gc():
    """Only reference counting frees memory here: a reference cycle would live on."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def undrawn():
    """Initial weights are zeros: for large networks of which only the shapes matter."""
    with init.undrawn():
        yield
