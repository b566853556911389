"""For the tests here: every rung of kernels."""

import pytest

from tinyres_kernels.cpu import elements


@pytest.fixture(params=["reference", "array", "cpu"], scope="module")
def rung(request):
    """Forces a rung of kernels, the compiled ones for small arrays too: they would leave those to the array rung."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYRES_KERNELS", request.param)
        patch.setattr(elements, "LEAST_BYTES", 1)
        yield request.param
