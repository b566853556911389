"""How many examples: 25 for every op and test, or 250 where slow tests are asked for (`pytest -m slow`, `-m ""`).

The same tests run either way. pytest's summary says how many cases that makes.
"""

import pytest
import random_cases
from hypothesis import HealthCheck, settings

EXAMPLES = pytest.StashKey[int]()


def pytest_configure(config):
    config.stash[EXAMPLES] = 25 if "not slow" in config.option.markexpr else 250
    # derandomize: the same examples every time, so that a failure is not a matter of luck. too_slow measures time, and
    # a busy machine is no defect.
    settings.register_profile(
        "properties",
        max_examples=config.stash[EXAMPLES],
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("properties")


def pytest_itemcollected(item):
    if item.config.stash[EXAMPLES] > 25:
        item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def counted(request):
    if hasattr(request.function, "hypothesis"):
        random_cases.count(request.node, request.config.stash[EXAMPLES])


@pytest.fixture(autouse=True, scope="module")
def small_arrays(compiled_kernels_take_small_arrays):
    pass
