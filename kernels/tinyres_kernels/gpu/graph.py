"""Work on a GPU that is recorded once, as a CUDA graph, and launched again as a whole.

A launch from Python takes some ten microseconds, and a training step has hundreds; in a graph the next kernel begins
about a microsecond after the last. The graph holds the launches with their arguments, so it uses the same addresses
every time. The memory of everything in between must therefore stay reserved: each graph has a memory pool of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any


class Graph:
    """What was recorded, and the memory pool that it uses.

    kept: what the recorded work returned, such as arrays in the pool that it writes
    """

    def __init__(self, pool: Any, device: Any):
        self.pool, self.device = pool, device
        self.recorded: Any = None
        self.kept: Any = None

    def __del__(self) -> None:
        """CuPy's pool would keep its memory for good, and it cannot free a block of which any part is in use."""
        self.recorded = self.kept = None
        with self.device:
            self.pool.free_all_blocks()

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

    def record(self, work: Callable[[], Any]) -> Graph:
        """The launches of `work`. Before the recording, work is called twice, and these calls take effect.

        The first call compiles the kernels. After the second the pool has enough memory, so recording asks for none.
        """
        graph = Graph(self.cupy.cuda.MemoryPool(), self.device)
        with self.here(), self.cupy.cuda.using_allocator(graph.pool.malloc):
            try:
                work()
                work()
                self.stream.synchronize()
                graph.recorded, graph.kept = self.captured(work)
            except BaseException as error:
                clear_frames(error.__traceback__)  # they hold arrays of the pool, which is freed before the error is
                raise
        return graph

    def captured(self, work: Callable[[], Any]) -> tuple[Any, Any]:
        """The launches of `work`, which are not carried out, and what it returns."""
        self.stream.begin_capture()
        try:
            returned = work()
        except BaseException:
            with suppress(RuntimeError):  # CuPy's, if the launches so far make no graph
                self.stream.end_capture()
            raise
        return self.stream.end_capture(), returned
