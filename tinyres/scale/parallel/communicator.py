"""What a rank can ask of all ranks. Every call is made by all of them, in the same order, or they wait forever."""

from __future__ import annotations

import json
from typing import Any, Protocol

Array = Any


class Communicator(Protocol):
    """`size` processes, this one being number `rank`, counted from 0.

    local_rank: among those of the same machine
    turn:       for what must be done once before others do it: 0 for the first rank, 1 for the first of every other
                machine, which may have a disk of its own, 2 for the rest
    """

    rank: int
    size: int
    local_rank: int
    turn: int

    def sum(self, array: Array) -> None:
        """Write into `array`, which is contiguous, the sum of all ranks' arrays: float32, float64 or int64."""

    def broadcast(self, content: bytes) -> bytes:
        """Rank 0's content, on every rank; what the others pass is not looked at."""

    def threads(self) -> int | None:
        """How many threads this rank may compute on, so that those of its machine share the cores; None: all."""

    def abort(self, code: int) -> None:
        """End every rank at once, with this exit code."""


class Alone:
    """One process: there is nobody to talk to."""

    rank, size, local_rank, turn = 0, 1, 0, 0

    def sum(self, array: Array) -> None:
        pass

    def broadcast(self, content: bytes) -> bytes:
        return content

    def threads(self) -> int | None:
        return None

    def abort(self, code: int) -> None:
        raise SystemExit(code)


ALONE = Alone()


def from_first(value: Any, ranks: Communicator) -> Any:
    """Rank 0's value, which JSON can hold, on every rank."""
    return json.loads(ranks.broadcast(json.dumps(value).encode()))
