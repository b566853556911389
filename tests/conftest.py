"""For all tests: each starts from seed 0, so that none depends on which ran before it."""

import gc

import pytest

import tinyres

pytest.register_assert_rewrite("support")


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
