"""What the ranks do together. All of them must make the same calls in the same order, or they wait forever."""

from __future__ import annotations

import json
from typing import Any, Protocol

Array = Any


class Communicator(Protocol):
    """`size` processes. This one has the number `rank`, counted from 0.

    local_rank: its number among the ranks of its machine
    turn:       0 for the first rank, 1 for the first rank of every other machine, 2 for the rest. A download is made in
                this order, because each machine may have its own disk
    """

    rank: int
    size: int
    local_rank: int
    turn: int

    def sum(self, array: Array) -> None:
        """Replace `array` by the sum of all ranks' arrays. It is contiguous, of float32, float64 or int64."""

    def broadcast(self, content: bytes) -> bytes:
        """The content that rank 0 passes, on every rank; what the others pass is ignored."""

    def threads(self) -> int | None:
        """How many threads this rank may use, so that the ranks of a machine share its cores; None: all."""

    def abort(self, code: int) -> None:
        """End every rank at once, with this exit code."""


class Alone:
    """One process, which has nothing to send."""

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
    """The value that rank 0 passes, on every rank. It must be one that JSON can hold."""
    return json.loads(ranks.broadcast(json.dumps(value).encode()))
