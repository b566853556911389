"""Work on a GPU recorded once, as a CUDA graph, and launched again as a whole.

A launch from Python takes some ten microseconds, and a training step has hundreds; in a graph the next kernel begins
about a microsecond after the last. What is recorded is the launches and their arguments, so they meet the same
addresses every time. The memory of everything in between must therefore stay set aside: each graph has a pool of its
own, from which nobody else is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Graph(NamedTuple):
    """What was recorded, and the pool that it works in."""

    recorded: Any
    pool: Any

    def launch(self) -> None:
        """Do it again, on the current stream; it has only begun when this returns."""
        self.recorded.launch()


class Recorder:
    """Records on the GPU of that number."""

    def __init__(self, device: int):
        import cupy

        self.cupy, self.device = cupy, cupy.cuda.Device(device)
        with self.device:
            self.stream = cupy.cuda.Stream(non_blocking=True)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Inside, work goes to this recorder's stream, after all that was begun before; at the end it is done."""
        with self.device:
            self.device.synchronize()
            with self.stream:
                yield
            self.stream.synchronize()

    def record(self, work: Callable[[], None]) -> Graph:
        """The launches of `work`, which is called twice before, and those times does what it does.

        The first call compiles the kernels; after the second the pool has memory for all, and recording asks for none.
        """
        pool = self.cupy.cuda.MemoryPool()
        with self.here(), self.cupy.cuda.using_allocator(pool.malloc):
            work()
            work()
            self.stream.synchronize()
            self.stream.begin_capture()
            try:
                work()
            finally:
                recorded = self.stream.end_capture()
        return Graph(recorded, pool)
