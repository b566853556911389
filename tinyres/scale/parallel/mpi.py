"""Ranks that send messages over MPI, through mpi4py. The first MPI() starts MPI itself."""

from __future__ import annotations

import os
import sys
import time

import numpy as np


class MPI:
    """All ranks that mpiexec started, for arrays in main memory. ImportError: mpi4py is not installed."""

    def __init__(self) -> None:
        from mpi4py import MPI as library

        self.library, self.world = library, library.COMM_WORLD
        self.rank, self.size = self.world.rank, self.world.size
        self.here = self.world.Split_type(library.COMM_TYPE_SHARED)  # the ranks of this machine
        self.local_rank = self.here.rank
        self.turn = 0 if self.rank == 0 else 1 if self.local_rank == 0 else 2

    def sum(self, array: np.ndarray) -> None:
        self.world.Allreduce(self.library.IN_PLACE, array)

    def broadcast(self, content: bytes) -> bytes:
        """Sent as bytes, because mpi4py would pickle an object."""
        length = np.array([len(content)], np.int64)
        self.world.Bcast(length)
        buffer = np.frombuffer(content, np.uint8).copy() if self.rank == 0 else np.empty(length[0], np.uint8)
        self.world.Bcast(buffer)
        return buffer.tobytes()

    def threads(self) -> int:
        """The cores that this rank may use, each divided by the number of ranks that may use it."""
        if sys.platform != "linux":
            return max(1, (os.cpu_count() or 1) // self.here.size)
        mine = np.zeros(os.cpu_count() or 1)
        mine[list(os.sched_getaffinity(0))] = 1
        users = mine.copy()
        self.here.Allreduce(self.library.IN_PLACE, users)
        return max(1, int((mine / np.maximum(users, 1)).sum() + 1e-9))

    def abort(self, code: int) -> None:
        time.sleep(0.3)  # mpiexec must still pass on what this rank has printed; once ranks end, it may drop the rest
        self.world.Abort(code)
