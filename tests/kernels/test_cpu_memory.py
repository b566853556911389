"""kernels/tinyres_kernels/cpu/memory.py"""

import os
import subprocess
import sys

import numpy as np
import pytest

from tinyres_kernels.cpu import memory
from tinyres_kernels.cpu.host import CACHE_LINE

ODD = (3, 1009)  # a size that nothing else asks for


@pytest.fixture(autouse=True)
def shelf(monkeypatch):
    monkeypatch.setattr(memory, "SHELF", memory.Shelf())
    return memory.SHELF


def address(array):
    return array.ctypes.data


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("make", [memory.empty, memory.zeros])
def test_arrays_as_from_numpy_that_begin_at_a_cache_line(make, dtype):
    array = make(ODD, np.dtype(dtype))
    assert array.shape == ODD and array.dtype == dtype
    assert array.flags.c_contiguous and array.flags.writeable
    assert address(array) % CACHE_LINE == 0


def test_a_buffer_is_lent_again_when_its_array_is_gone():
    first = memory.empty(ODD, np.float32)
    place = address(first)
    del first
    assert address(memory.empty(ODD, np.float32)) == place


def test_zeros_are_zeros_in_used_memory_too():
    memory.empty(ODD, np.float32)[...] = np.nan
    assert not memory.zeros(ODD, np.float32).any()


def test_a_buffer_stays_lent_while_any_view_of_it_lives():
    first = memory.empty(ODD, np.float32)
    view = first.transpose(1, 0)[5:7]
    view[...] = 1
    del first
    second = memory.empty(ODD, np.float32)
    second[...] = 2
    assert (view == 1).all()


def test_two_arrays_never_share_a_buffer():
    arrays = [memory.empty(ODD, np.float32) for _ in range(5)]
    for k, array in enumerate(arrays):
        array[...] = k
    assert all((array == k).all() for k, array in enumerate(arrays))


def test_what_comes_back_beyond_the_limit_is_not_kept(shelf):
    size = 4 * 3 * 1009
    shelf.limit = 2 * size
    arrays = [memory.empty(ODD, np.float32) for _ in range(5)]
    arrays.clear()
    assert len(shelf.buffers[size]) == 2
    assert shelf.bytes == 2 * size
    kept = [memory.empty(ODD, np.float32) for _ in range(3)]
    assert len(kept) == 3 and shelf.bytes == 0


def test_the_program_ends_in_silence_with_arrays_alive():
    """Python empties the modules, memory.py too, before the last arrays go."""
    program = "import numpy as np; from tinyres_kernels.cpu import memory; kept = memory.empty((9,), np.float32)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
