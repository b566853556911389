"""Each measurement runs in a process of its own: what ran before it would leave its memory and its threads behind.

The number of threads can only be set before NumPy, numba and torch are loaded, which also calls for a fresh process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tinyres.app.training import RunError

THREADS = (
    "TINYRES_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Failed(RunError):
    """A measurement's process ended without a result."""


def run(module: str, threads: int, *arguments: Any) -> Any:
    """The JSON that `python -m module arguments` prints when it may use this many threads. Failed: it printed none."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": os.pathsep.join(sys.path)}
    for ours in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):  # our kernels set these for us; torch keeps its own defaults
        environment.pop(ours, None)
    texts = [argument if isinstance(argument, str) else json.dumps(argument) for argument in arguments]
    command = [sys.executable, "-P", "-m", module, *texts]
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    if process.returncode != 0:
        raise Failed(f"bench: {module} {' '.join(texts)}: {reason(process)}")
    return json.loads(process.stdout.splitlines()[-1])


def reason(process: subprocess.CompletedProcess[str]) -> str:
    """Why a process failed: the last line of its messages that names an error, or else the last line."""
    lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
    errors = [line.strip() for line in lines if "Error" in line]
    return errors[-1] if errors else lines[-1]
