"""Work on a GPU that is recorded once, as a CUDA graph, and launched again as a whole.

A launch from Python takes some ten microseconds, and a training step has hundreds; in a graph the next kernel begins
about a microsecond after the last. The graph holds the launches with their arguments, so it uses the same addresses
every time. The memory of everything in between must therefore stay reserved: each graph has a memory pool of its own.

Most kernels of a step need what the last one wrote. What nothing needs before the step ends, such as the gradient of a
weight, goes to a second stream while the step is recorded (`beside`). In the graph it is then a branch: the GPU works
on it where the others leave multiprocessors free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any

from tinyres_kernels.contract import Array

recording: Recorder | None = None  # the recorder whose work is being called


def beside(work: Callable[[], Any], *read: Array) -> Any:
    """work(), whose launches may run beside later ones if a step is being recorded. read: the arrays that they read.

    Who uses the array that it returns says so with `meet`.
    """
    return work() if recording is None else recording.on_branch(work, read)


def meet(*used: Array) -> None:
    """Later launches come after those beside them, if one of these arrays was made there; without arrays, always."""
    if recording is not None and (not used or any(x is made for x in used for made in recording.made)):
        recording.join()


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
            self.stream, self.branch = (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
        # Of the work on the branch that the stream does not wait for yet: what it reads, and what it returned
        self.read: list[Array] = []
        self.made: list[Any] = []

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
                self.call(work)
                self.call(work)
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
            returned = self.call(work)
        except BaseException:
            with suppress(RuntimeError):  # CuPy's, if the launches so far make no graph
                self.stream.end_capture()
            raise
        return self.stream.end_capture(), returned

    def call(self, work: Callable[[], Any]) -> Any:
        global recording
        recording = self
        try:
            return work()
        finally:
            recording = None
            self.join()

    def on_branch(self, work: Callable[[], Any], read: Sequence[Array]) -> Any:
        """work(), which gets to the branch after all that the stream has by now."""
        self.after(self.branch, self.stream)
        self.read += read  # without a name its memory would be used again, by work that does not wait for the branch
        with self.branch:
            self.made.append(work())
        return self.made[-1]

    def join(self) -> None:
        """What the stream gets from now on comes after all that the branch has."""
        if self.made:
            self.after(self.stream, self.branch)
            self.read, self.made = [], []

    def after(self, later: Any, earlier: Any) -> None:
        event = self.cupy.cuda.Event(disable_timing=True)
        event.record(earlier)
        later.wait_event(event)
