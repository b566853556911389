"""For the tests of kernels: they compute on two threads, though each process that runs tests computes on one."""

import pytest

from tinyres.threads import using_threads


@pytest.fixture(autouse=True, scope="module")
def two_threads():
    with using_threads(2):
        yield
