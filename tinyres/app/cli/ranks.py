"""A command on several processes: `mpiexec -n 4 tinyres train` starts four, but only one of them should print."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from tinyres.app.export import ExportError
from tinyres.app.training import Diverged, Interrupted, RunError
from tinyres.app.weights import WeightsError
from tinyres.data import DataError
from tinyres.scale.parallel import ParallelError, rank_started

FAILURES = RunError, ParallelError, DataError, WeightsError, ExportError, OSError  # the message is enough; no traceback
AGREED = Diverged, Interrupted  # all ranks raise these at the same step


@contextmanager
def quiet_unless_first() -> Iterator[None]:
    """Inside the block, only the first of the processes that mpiexec started prints."""
    if rank_started() == 0:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
