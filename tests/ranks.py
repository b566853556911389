"""For the tests of tinyres.scale: ranks that are threads of this process, and ranks that mpiexec starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or find_spec("mpi4py") is None, reason='needs mpi4py and mpiexec: pip install "tinyres[mpi]"'
)
TIMEOUT = 120  # seconds; a job takes about two


class Threads:
    """A rank that is a thread. Sums are made in the order of the ranks."""

    def __init__(self, rank: int, slots: list[Any], meet: threading.Barrier):
        self.rank, self.size, self.slots, self.meet = rank, len(slots), slots, meet
        self.local_rank, self.turn = rank, min(rank, 2)
        self.sent: list[int] = []  # the sizes of the arrays that were summed

    def sum(self, array: np.ndarray) -> None:
        self.sent.append(array.size)
        self.slots[self.rank] = array.copy()
        self.meet.wait()
        array[...] = sum(self.slots[1:], self.slots[0])
        self.meet.wait()

    def broadcast(self, content: bytes) -> bytes:
        self.slots[self.rank] = content
        self.meet.wait()
        content = self.slots[0]
        self.meet.wait()
        return content

    def threads(self) -> int | None:
        return 1

    def abort(self, code: int) -> None:
        self.meet.abort()


def on_threads(size: int, work: Callable[[Threads], Any]) -> list[Any]:
    """[work(rank) for every rank], all at once."""
    slots, meet = [None] * size, threading.Barrier(size, timeout=30)

    def one(rank: int) -> Any:
        try:
            return work(Threads(rank, slots, meet))
        except BaseException:
            meet.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        results = list(pool.map(one, range(size)))
    return results


def mpiexec(size: int, *arguments: Any, env: dict[str, str] | None = None) -> subprocess.Popen:
    """Start `tinyres ARGUMENTS` on `size` ranks, in the tiny world of runs.py. See ranked.py for env."""
    everything = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TINYRES_KERNELS": "array", **(env or {})}
    everything.pop("TINYRES_NUM_THREADS", None)  # so that the ranks share the cores by themselves
    command = [MPIEXEC, "-n", str(size), sys.executable, Path(__file__).with_name("ranked.py"), *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(word) for word in command], env=everything, **pipes)


def end(job: subprocess.Popen) -> tuple[int, str, str]:
    """Wait for it: its exit code, and what it printed to stdout and stderr."""
    try:
        out, err = job.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        for _ in range(2):  # the second signal also ends ranks that wait for a message
            job.send_signal(signal.SIGINT)
            time.sleep(1)
        job.communicate()
        raise
    return job.returncode, out, err
