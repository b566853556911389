"""The graphics card itself: what it is, and how long work takes by its own clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def about() -> dict[str, Any]:
    """Name, compute capability, multiprocessors, bytes of memory, versions. Without a card, CuPy raises an error."""
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


def seconds(work: Callable[[], object]) -> float:
    """The seconds that the card takes for `work`."""
    import cupy

    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record()
    work()
    end.record()
    end.synchronize()
    return cupy.cuda.get_elapsed_time(begin, end) / 1e3
