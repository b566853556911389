"""Work on a GPU that is recorded once, as a CUDA graph, and launched again as a whole.

A launch from Python takes some ten microseconds, and a training step has hundreds; in a graph the next kernel begins
about a microsecond after the last. The graph holds the launches with their arguments, so it uses the same addresses
every time. The memory of everything in between must therefore stay reserved: each graph has a memory pool of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple


class Graph(NamedTuple):
    """What was recorded, and the memory pool that it uses."""

    recorded: Any
    pool: Any

    def launch(self) -> None:
        """Run it again on the current stream. This returns once it has begun, not when it is done."""
        self.recorded.launch()


class Recorder:
    """Records work on the GPU with that number."""

    def __init__(self, device: int):
        import cupy

        self.cupy, self.device = cupy, cupy.cuda.Device(device)
        with self.device:
            self.stream = cupy.cuda.Stream(non_blocking=True)

    @contextmanager
    def here(self) -> Iterator[None]:
        """Inside, work goes to this recorder's stream, after all earlier work. Leaving waits until it is done."""
        with self.device:
            self.device.synchronize()
            try:
                with self.stream:
                    yield
            finally:
                self.stream.synchronize()

    def record(self, work: Callable[[], None]) -> Graph:
        """The launches of `work`. Before the recording, work is called twice, and these calls take effect.

        The first call compiles the kernels. After the second the pool has enough memory, so recording asks for none.
        """
        pool = self.cupy.cuda.MemoryPool()
        with self.here(), self.cupy.cuda.using_allocator(pool.malloc):
            work()
            work()
            self.stream.synchronize()
            self.stream.begin_capture()
            try:
                work()
            except BaseException:
                with suppress(RuntimeError):  # CuPy's, if the launches so far make no graph
                    self.stream.end_capture()
                raise
            recorded = self.stream.end_capture()
        return Graph(recorded, pool)
