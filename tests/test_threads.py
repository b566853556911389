"""tinyres/threads.py"""

import os
import subprocess
import sys

import numba
import pytest
from threadpoolctl import threadpool_info

import tinyres
from tinyres.device import kernels_for
from tinyres.threads import using_threads


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def as_before():
    with using_threads(None):
        yield


def test_one_setting_governs_blas_and_numba():
    kernels_for(tinyres.zeros(1).data)  # loads numba
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        tinyres.set_num_threads(threads)
        assert tinyres.get_num_threads() == numba.get_num_threads() == threads
        assert blas_threads() == {threads}


def test_numba_takes_no_more_than_the_cores():
    tinyres.set_num_threads(numba.config.NUMBA_NUM_THREADS + 3)
    assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS


def test_using_threads_ends_with_the_block():
    tinyres.set_num_threads(2)
    with using_threads(1) as threads:
        assert threads == tinyres.get_num_threads() == 1
        assert blas_threads() == {1}
    assert tinyres.get_num_threads() == 2
    with using_threads(None) as threads:
        assert threads == 2


def test_none_is_refused():
    with pytest.raises(ValueError, match="set_num_threads: expected 1 or more, got 0"):
        tinyres.set_num_threads(0)


CODE = """
import numpy, tinyres
from tinyres.device import kernels_for
kernels_for(numpy.zeros(1))
import numba
print(tinyres.get_num_threads(), numba.get_num_threads())
"""


def run_with(value):
    environment = {**os.environ, "TINYRES_NUM_THREADS": value, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)


def test_the_environment_says_how_many():
    assert run_with("1").stdout == "1 1\n"


def test_the_environment_must_say_a_number():
    assert "TINYRES_NUM_THREADS: expected a number of 1 or more, got 'many'" in run_with("many").stderr
