"""Which launches of a recording may run at the same time, and whether they would disturb each other.

Launches of one stream come one after the other. Between streams only events make an order: a launch comes before
another if an event was recorded after the one and waited for before the other. Two launches without an order must not
share memory that one of them writes. And memory that is free is given to whoever asks next on the stream that it was
made on: so the launches that use it must come before that stream's next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Access(NamedTuple):
    stream: int
    number: int  # of the launch, counted in its stream from 1
    written: bool
    kernel: str


class Streams:
    """What has been launched on each stream since the recording began; a stream is known by its number."""

    def __init__(self) -> None:
        self.before: dict[int, Counter[int]] = {}  # of each stream: how many launches of each come before its next one
        self.launches: Counter[int] = Counter()
        self.accesses: dict[int, list[Access]] = {}  # to each memory
        self.home: dict[int, int] = {}  # the stream on which a memory was made
        self.last_uses: dict[int, list[Access]] = {}  # of memory that each stream may use again
        self.problems: list[str] = []

    def seen_by(self, stream: int) -> Counter[int]:
        return self.before.setdefault(stream, Counter())

    def waits(self, stream: int, seen: Counter[int]) -> None:
        """From now on all that was `seen` when an event was recorded comes before what this stream gets."""
        self.before[stream] = self.seen_by(stream) | seen

    def launched(self, stream: int, kernel: str, used: Iterable[tuple[np.ndarray, bool]], by_address: bool) -> None:
        """used: the owner of each memory, and whether it is written. by_address: the kernel may use any other, too."""
        seen = self.seen_by(stream)
        if by_address and any(seen[other] < count for other, count in self.launches.items() if other != stream):
            self.problems.append(f"{kernel} takes addresses, and launches of another stream may run at the same time")
        for access in self.last_uses.pop(stream, ()):
            if seen[access.stream] < access.number:
                self.problems.append(f"memory that {access.kernel} uses is free before it is done")
        self.launches[stream] += 1
        seen[stream] = self.launches[stream]
        for memory, written in used:
            accesses = self.accesses.setdefault(id(memory), [])
            for other in accesses:
                if (written or other.written) and seen[other.stream] < other.number:
                    self.problems.append(
                        f"{kernel} and {other.kernel} may run at the same time; one writes what both use"
                    )
            accesses.append(Access(stream, seen[stream], written, kernel))

    def made(self, memory: int, stream: int) -> None:
        self.home[memory] = stream

    def freed(self, memory: int) -> None:
        self.last_uses.setdefault(self.home[memory], []).extend(self.accesses.get(memory, ()))
