"""For all tests: each starts from seed 0, so that none depends on which ran before it."""

import pytest

import tinyres

pytest.register_assert_rewrite("support")


@pytest.fixture(autouse=True)
def seed():
    tinyres.manual_seed(0)
