"""Work on a GPU recorded once, as a CUDA graph, and launched again as a whole.

A launch from Python takes some ten microseconds, and a training step has hundreds; in a graph the next kernel begins
about a microsecond after the last. What is recorded is the launches and their arguments: the same addresses every
time. So the memory of everything in between must stay set aside, and it comes from a pool of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Recorder:
    """Records on the GPU of that number. The graphs need its pool: keep the recorder as long as they are launched."""

    def __init__(self, device: int):
        import cupy

        self.cupy, self.device = cupy, cupy.cuda.Device(device)
        with self.device:
            self.stream, self.pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()

    @contextmanager
    def here(self) -> Iterator[None]:
        """Inside, work goes to this recorder's stream and pool, after all that was begun before; at the end it is done."""
        with self.device:
            self.device.synchronize()
            with self.stream, self.cupy.cuda.using_allocator(self.pool.malloc):
                yield
            self.stream.synchronize()

    def record(self, work: Callable[[], None]) -> Any:
        """What `work` launches, as a graph: `.launch()` inside `here`. It is called twice before, and then it happens.

        The first time compiles the kernels; after the second the pool has memory for all, and recording asks for none.
        """
        with self.here():
            work()
            work()
            self.stream.synchronize()
            self.stream.begin_capture()
            try:
                work()
            finally:
                graph = self.stream.end_capture()
        return graph
