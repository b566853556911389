"""The card itself: what it is, and how long it takes for something, by its own clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def about() -> dict[str, Any]:
    """Name, compute capability, multiprocessors, bytes of memory, and versions. An error of CuPy's: there is none."""
    import cupy

    device = cupy.cuda.Device()
    properties = cupy.cuda.runtime.getDeviceProperties(device.id)
    return {
        "name": properties["name"].decode(),
        "compute_capability": device.compute_capability,
        "multiprocessors": properties["multiProcessorCount"],
        "memory": properties["totalGlobalMem"],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "cuda": cupy.cuda.runtime.runtimeGetVersion(),
        "cupy": cupy.__version__,
    }


def seconds(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    """From when the card begins with that work to when it is done, after `before`, which it does first."""
    import cupy

    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    before()
    begin.record()
    work()
    end.record()
    end.synchronize()
    return cupy.cuda.get_elapsed_time(begin, end) / 1e3
