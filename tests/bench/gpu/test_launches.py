"""One step's launches, one by one, and the table of what ncu says about them."""

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from cuda_on_cpu import emulator

from bench.gpu import one_step
from bench.gpu.launches import by_kernel, launches, steps
from tinyres_kernels import products

NCU = """\
==PROF== Connected to process 1051 (/usr/bin/python3.12)
"ID","Kernel Name","Grid Size","dram__bytes.sum","gpu__time_duration.sum"
"","","","byte","ns"
"0","relu(float*, int)","(8, 1, 1)","2,000,000","1,500"
"1","conv2d","(8, 1, 1)","500,000","7,000"
"2","relu(float*, int)","(8, 1, 1)","1,000,000","1,000"
"3","next_step","(1, 1, 1)","0","500"
"4","next_step","(1, 1, 1)","0","400"
"""


def test_the_table():
    first, second = steps(launches(NCU))
    assert [line.split() for line in by_kernel(first).splitlines()] == [
        ["kernel", "launches", "µs", "MB", "of", "memory"],
        ["conv2d", "1", "7.0", "0.5"],
        ["relu", "2", "2.5", "3.0"],
        ["next_step", "1", "0.5", "0.0"],
        ["all", "4", "10.0", "3.5"],
    ]
    assert len(second) == 1


def test_ncu_saw_nothing():
    assert (
        steps(launches("==ERROR== The user does not have permission to access NVIDIA GPU Performance Counters")) == []
    )


@pytest.mark.slow  # two steps of a network, thread by thread
@emulator.needs_compiler
def test_the_profiler_sees_one_step_of_each_kind(card, monkeypatch):
    seen = []

    @contextmanager
    def profile():
        seen.append(products.get())
        yield
        seen.append("end")

    own = one_step.one_by_one
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupyx.profiler", SimpleNamespace(profile=profile))
    monkeypatch.setattr(one_step, "one_by_one", lambda steps: seen.append("step") or own(steps))
    one_step.main(["bf16", "tf32"], "resnet8", batch_size=2)
    assert seen == ["step", "step", "bf16", "step", "end", "step", "step", "tf32", "step", "end"]
