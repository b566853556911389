"""Ranks with one GPU each: NCCL sums the arrays there, and MPI does the rest.

This has not run on GPUs yet: the tests use a stand-in that records the calls of NCCL. On a machine with two GPUs
`mpiexec -n 2 tinyres train --device cuda` would try it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tinyres.autograd import Array
from tinyres.device import device_of
from tinyres.scale.gpus import current_stream, nccl_library
from tinyres.scale.parallel.communicator import Communicator

DTYPES = "float32", "float64", "int64"


class NCCL:
    """The ranks of `control`. The current device of each is its GPU.

    Rank 0 draws an identifier by which NCCL connects the ranks, and `control` sends it to all of them. `control` also
    sums the arrays in main memory.
    """

    def __init__(self, control: Communicator):
        self.control, self.rank, self.size = control, control.rank, control.size
        self.local_rank, self.turn = control.local_rank, control.turn
        self.library: Any = nccl_library()
        # 128 small integers as JSON: the address of a socket and a random number, which is all that NCCL needs.
        drawn = json.dumps(self.library.get_unique_id() if self.rank == 0 else []).encode()
        meeting = tuple(json.loads(control.broadcast(drawn)))
        self.group = self.library.NcclCommunicator(self.size, meeting, self.rank)
        self.types = {np.dtype(name): getattr(self.library, f"NCCL_{name.upper()}") for name in DTYPES}

    def sum(self, array: Array) -> None:
        if device_of(array) == "cpu":
            return self.control.sum(array)
        here, kind = array.data.ptr, self.types[array.dtype]
        self.group.allReduce(here, here, array.size, kind, self.library.NCCL_SUM, current_stream())

    def broadcast(self, content: bytes) -> bytes:
        return self.control.broadcast(content)

    def threads(self) -> int | None:
        return self.control.threads()

    def abort(self, code: int) -> None:
        self.control.abort(code)
