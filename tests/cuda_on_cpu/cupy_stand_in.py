"""Stands in for CuPy: its arrays are NumPy's underneath, its kernels run in the emulator, its graphs record them.

While a stream records, a launch is noted and not carried out, as on a GPU. Array work that is no launch of ours is not
noted, so it is missing when the graph is launched; most of it is refused on the spot, by name. Memory that was made
while recording is the pool's: it stays, and holds NaN whenever the graph is launched. All other memory that the graph
uses is somebody else's, and if that has been freed meanwhile it is noticed.
"""

from __future__ import annotations

import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cuda_on_cpu import emulator
from cuda_on_cpu.streams import Streams
from tinyres_kernels.gpu import launch

ALLOWED = (np.empty_like, np.asarray, np.shape, np.ndim)  # they neither read nor write what an array holds


class Array(np.ndarray):
    """An array "on the GPU". Whatever is computed from one is one."""

    device = SimpleNamespace(id=0)

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)

    def get(self) -> np.ndarray:
        refuse_while_recording("get")
        return np.array(self)

    def item(self, *place: int) -> Any:
        refuse_while_recording("item")
        return super().item(*place)

    def copy(self, order: str = "C") -> Array:
        refuse_while_recording("copy")
        return super().copy(order)

    def __setitem__(self, place: Any, value: Any) -> None:
        refuse_while_recording("[…] =")
        super().__setitem__(place, value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        refuse_while_recording(ufunc.__name__)
        plain = [on_host(x) for x in inputs]
        if "out" in settings:
            settings["out"] = tuple(on_host(x) for x in settings["out"])
        return on_gpu(getattr(ufunc, method)(*plain, **settings))

    def __array_function__(self, function: Any, types: Any, arguments: Any, settings: Any) -> Any:
        if function not in ALLOWED:
            refuse_while_recording(function.__name__)
        made = on_gpu(super().__array_function__(function, types, arguments, settings))
        if function is np.empty_like and recording is not None:
            made = recording.made(made)
        if function is np.empty_like and allocating is not None:
            allocating.arrays.append(weakref.ref(owner(made)))
        return made


Array.__module__ = "cupy"  # by this tinyres.device knows them


def owner(array: np.ndarray) -> np.ndarray:
    """Whose memory it is: the array that a view is of, at the end of it all."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def on_host(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Array) else x


def on_gpu(x: Any) -> Any:
    if isinstance(x, np.generic):
        x = np.asarray(x)  # CuPy's sums, too, are arrays
    return x.view(Array) if isinstance(x, np.ndarray) else x


def refuse_while_recording(what: str) -> None:
    assert emulator.record is None, f"array work that a graph would not repeat here: {what}"


class Recording:
    """The launches since a stream began to record, and the memory made since."""

    def __init__(self) -> None:
        self.launches: list[Callable[[], None]] = []
        self.pool: list[np.ndarray] = []
        self.used: dict[int, np.ndarray] = {}
        self.streams = Streams()

    def made(self, array: Array) -> Array:
        """The same in memory of the pool. Once no array uses it, CuPy's pool would give it away again."""
        memory = np.empty(array.nbytes, np.uint8)
        self.pool.append(memory)
        self.streams.made(id(memory), Stream.current)
        user = memory.view(array.dtype).reshape(array.shape)
        weakref.finalize(user, self.streams.freed, id(memory))
        return user.view(Array)

    def launch(self, launch: emulator.Launch) -> None:
        used = [(owner(array), written) for array, written in launch.arrays]
        self.streams.launched(Stream.current, launch.kernel, used, launch.by_address)
        self.used |= {id(memory): memory for memory, _ in used}
        self.launches.append(launch.carry_out)


recording: Recording | None = None


class Stream:
    current = 0  # the number of the stream that launches go to
    count = 0

    def __init__(self, non_blocking: bool = False):
        assert non_blocking, "the legacy stream would wait for this one, and cannot while it records"
        Stream.count += 1
        self.number, self.outside = Stream.count, []

    def __enter__(self) -> Stream:
        self.outside.append(Stream.current)
        Stream.current = self.number
        return self

    def __exit__(self, *error: object) -> None:
        Stream.current = self.outside.pop()

    def synchronize(self) -> None:
        refuse_while_recording("synchronize")

    def wait_event(self, event: Event) -> None:
        if recording is not None:
            recording.streams.waits(self.number, event.seen)

    def begin_capture(self) -> None:
        global recording
        refuse_while_recording("begin_capture")
        recording = Recording()
        emulator.record = recording.launch

    def end_capture(self) -> Graph:
        global recording
        assert recording is not None
        ended, recording, emulator.record = recording, None, None
        problems = set(ended.streams.problems)
        assert not problems, "\n".join(sorted(problems))
        return Graph(ended)


class Graph:
    def __init__(self, recording: Recording):
        self.launches, self.pool = recording.launches, recording.pool
        inside = {id(array) for array in self.pool}
        self.others = [weakref.ref(array) for key, array in recording.used.items() if key not in inside]

    def launch(self) -> None:
        refuse_while_recording("launch")
        assert all(other() is not None for other in self.others), "memory that a graph uses has been freed"
        for memory in self.pool:
            memory.fill(0xFF)  # NaN, or −1
        for carry_out in self.launches:
            carry_out()


class Device:
    id, compute_capability = 0, "90"

    def __init__(self, index: int | None = None):
        assert not index, "there is one GPU here"

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def synchronize(self) -> None:
        pass


class MemoryPool:
    """It knows what was made while it was in use, to see that nothing uses that any more when it is freed."""

    def __init__(self) -> None:
        self.arrays: list[weakref.ref[np.ndarray]] = []

    def malloc(self, size: int) -> None:
        raise AssertionError("NumPy's arrays do not come from a pool")

    def free_all_blocks(self) -> None:
        assert all(array() is None for array in self.arrays), "memory of the pool that is to be freed is in use"
        freed.append(len(self.arrays))


allocating: MemoryPool | None = None
freed: list[int] = []  # of each pool that was freed: how many arrays had been made in it


@contextmanager
def using_allocator(malloc: Callable[[int], None]) -> Iterator[None]:
    global allocating
    allocating = malloc.__self__
    try:
        yield
    finally:
        allocating = None


def RawModule(code: str, options: Sequence[str]) -> emulator.Module:
    """Compiled once for each text and each choice of defines."""
    return emulator.compiled(code, *(option[2:] for option in options if option.startswith("-D")))


def asarray(array: Any) -> Array:
    refuse_while_recording("asarray")
    return array if isinstance(array, Array) else np.array(array, order="K").view(Array)


class Event:
    """The card's clock is this machine's."""

    def __init__(self, disable_timing: bool = False):
        self.seen: Counter[int] = Counter()

    def record(self, stream: Stream | None = None) -> None:
        if recording is not None and stream is not None:
            self.seen = Counter(recording.streams.seen_by(stream.number))
        self.at = perf_counter()

    def synchronize(self) -> None:
        pass


__version__ = "14"
runtime = SimpleNamespace(
    getDeviceProperties=lambda index: {"name": b"A Card", "multiProcessorCount": 2, "totalGlobalMem": 2**30},
    driverGetVersion=lambda: 13000,
    runtimeGetVersion=lambda: 13000,
)
cuda = SimpleNamespace(
    Device=Device,
    Event=Event,
    MemoryPool=MemoryPool,
    Stream=Stream,
    get_elapsed_time=lambda begin, end: 1e3 * (end.at - begin.at),
    runtime=runtime,
    using_allocator=using_allocator,
)


@pytest.fixture
def gpu(monkeypatch):
    """There is a GPU, as far as tinyres can see."""
    monkeypatch.setitem(sys.modules, "cupy", sys.modules[__name__])
    monkeypatch.delenv("TINYRES_KERNELS", raising=False)
    monkeypatch.setattr(launch, "load", launch.load.__wrapped__)  # what it has in its cache may be CuPy's own
    yield
    assert emulator.record is None
