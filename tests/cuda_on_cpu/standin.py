"""Stands in for CuPy itself: its arrays are NumPy's, its kernels run on the emulator, its clock is this machine's."""

from contextlib import nullcontext
from time import perf_counter
from types import SimpleNamespace

from cuda_on_cpu import emulator


class Device(nullcontext):
    id, compute_capability = 0, "90"


class Event:
    def record(self):
        self.at = perf_counter()

    def synchronize(self):
        pass


def raw_module(code, options):
    return emulator.Module(code, [option.removeprefix("-D") for option in options if option.startswith("-D")])


RUNTIME = SimpleNamespace(
    getDeviceProperties=lambda index: {"name": b"A Card", "multiProcessorCount": 2, "totalGlobalMem": 2**30},
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
)
CUPY = SimpleNamespace(
    __version__="14",
    asarray=lambda array: array,
    RawModule=raw_module,
    cuda=SimpleNamespace(
        Device=Device,
        Event=Event,
        get_elapsed_time=lambda begin, end: 1e3 * (end.at - begin.at),
        runtime=RUNTIME,
    ),
)
