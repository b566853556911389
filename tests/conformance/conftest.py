"""For the tests here: every rung of kernels."""

import pytest


@pytest.fixture(params=["reference", "array", "cpu"], scope="module")
def rung(request, compiled_kernels_take_small_arrays):
    """Each of these rungs of kernels, in turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYRES_KERNELS", request.param)
        yield request.param
