"""For all tests: each starts from seed 0, so that none depends on which ran before it."""

from types import SimpleNamespace

import pytest

import tinyres

pytest.register_assert_rewrite("support")


@pytest.fixture(autouse=True)
def seed():
    tinyres.manual_seed(0)


@pytest.fixture
def undrawn(monkeypatch):
    """Initial weights are zeros: for large networks of which only the shapes matter. Drawing VGG-16 takes 10 s."""
    zeros = SimpleNamespace(uniform=lambda *settings: 0.0, normal=lambda *settings: 0.0)
    monkeypatch.setattr("tinyres.nn.init.next_generator", lambda purpose: zeros)
