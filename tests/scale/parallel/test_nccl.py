"""tinyres/scale/parallel/nccl.py, with a stand-in for cupy.cuda.nccl: it has not run on GPUs yet."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ranks import on_threads

from tinyres.scale.parallel.nccl import NCCL

UNIQUE = tuple(range(-64, 64))  # as CuPy returns it: 128 small integers
STREAM = 4321


class OnGPU:
    """The attributes of a CuPy array that nccl.py and device.py use."""

    __module__ = "cupy._core.core"

    def __init__(self, values):
        self.values = values
        self.data, self.size, self.dtype = SimpleNamespace(ptr=id(values)), values.size, values.dtype
        self.device = SimpleNamespace(id=0)


@pytest.fixture
def library(monkeypatch):
    """Records its calls: `made` communicators, `sums`, and how many identifiers were `drawn`."""

    class Communicator:
        def __init__(self, size, meeting, rank):
            nccl.made.append((rank, size, meeting))

        def allReduce(self, source, target, count, kind, operation, stream):
            nccl.sums.append((source, target, count, kind, operation, stream))

    def get_unique_id():
        nccl.drawn += 1
        return UNIQUE

    names = {"NCCL_FLOAT32": 7, "NCCL_FLOAT64": 8, "NCCL_INT64": 4, "NCCL_SUM": 0}
    nccl = SimpleNamespace(NcclCommunicator=Communicator, get_unique_id=get_unique_id, made=[], sums=[], drawn=0)
    vars(nccl).update(names)
    stream = SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=STREAM), nccl=nccl)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=stream))
    monkeypatch.setitem(sys.modules, "cupy.cuda", stream)
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", nccl)
    return nccl


def test_all_meet_under_the_number_that_the_first_has_drawn(library):
    on_threads(3, NCCL)
    assert sorted(library.made) == [(rank, 3, UNIQUE) for rank in range(3)]
    assert library.drawn == 1


@pytest.mark.parametrize(("dtype", "kind"), [("float32", 7), ("float64", 8), ("int64", 4)])
def test_an_array_on_a_gpu_is_summed_there_in_place(library, dtype, kind):
    array = OnGPU(np.ones(5, dtype))

    def work(ranks):
        NCCL(ranks).sum(array)
        return ranks.sent

    assert on_threads(1, work) == [[]]  # nothing was sent over MPI
    assert library.sums == [(array.data.ptr, array.data.ptr, 5, kind, 0, STREAM)]


def test_what_lies_in_main_memory_is_summed_there(library):
    def work(ranks):
        array = np.array([1.0, ranks.rank])
        nccl = NCCL(ranks)
        nccl.sum(array)
        return array.tolist(), nccl.broadcast(b"%d" % ranks.rank), (nccl.rank, nccl.size, nccl.turn), nccl.threads()

    assert on_threads(2, work) == [([2.0, 1.0], b"0", (rank, 2, rank), 1) for rank in range(2)]
    assert library.sums == []


def test_a_cupy_without_nccl(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupy.cuda", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", None)
    with pytest.raises(RuntimeError, match="several GPUs need NCCL, which this CuPy lacks"):
        on_threads(1, NCCL)
