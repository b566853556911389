"""How long an Allreduce takes: `mpiexec -n 2 python -m tinyres.bench.allreduce docs/allreduce.json`

Of the sizes that a step of ResNet-20 and of ResNet-50 sends. Adds its ranks' row to the file; docs/cluster.md shows it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tinyres.bench.machine import available_cores, cpu_name
from tinyres.parallel import Communicator, connected

SIZES = {"ResNet-20's gradient": 1_078_904, "ResNet-50's gradient": 102_228_144, "a batch norm's sums": 1024}  # bytes
REPEATS = 40


def measure(ranks: Communicator) -> dict[str, dict[str, float]]:
    """Of every size the median and the least of the seconds, in which the slowest rank was done."""
    return {name: one_size(ranks, size) for name, size in SIZES.items()}


def one_size(ranks: Communicator, size: int) -> dict[str, float]:
    array = np.zeros(size // 4, np.float32)
    times = np.empty(REPEATS)
    for k in range(REPEATS):
        ranks.sum(np.zeros(1))  # all begin together
        began = perf_counter()
        ranks.sum(array)
        times[k] = perf_counter() - began
    return {"bytes": size, "median": median(times.tolist()), "least": float(times.min())}


def add(path: Path, ranks: int, row: dict[str, Any]) -> None:
    found = json.loads(path.read_text()) if path.exists() else {}
    rows = {**found.get("rows", {}), str(ranks): row}
    report = {"cpu": cpu_name(), "cores": available_cores(), "repeats": REPEATS, "rows": rows}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    with connected() as all_ranks:
        measured = measure(all_ranks)
        if all_ranks.rank == 0:
            add(Path(sys.argv[1]), all_ranks.size, measured)
