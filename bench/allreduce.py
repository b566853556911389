"""How long an Allreduce takes: `mpiexec -n 2 python -m bench allreduce docs/allreduce.json`

Measured for the sizes that a step of ResNet-20 and of ResNet-50 sends; between two ranks also as part of a whole step.
The row for this number of ranks is added to the file, and docs/cluster.md shows it.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tinyres import Tensor, models, random
from tinyres.app.bench.machine import available_cores, cpu_name
from tinyres.scale.parallel import Communicator, FlatGradients, connected, synchronised
from tinyres.scale.parallel.rows import Rows
from tinyres.scale.team import backpropagate

SIZES = {  # bytes, and how often each is sent
    "a batch norm's sums": (1024, 2000),
    "ResNet-20's gradient": (1_078_904, 300),
    "ResNet-50's gradient": (102_228_144, 12),
}
STEPS = 12
IMAGES = 64  # of each rank in a step


def measure_and_add(path: Path) -> None:
    """Measure among the ranks that mpiexec started; rank 0 adds the times to the file."""
    with connected() as ranks:
        row = {name: seconds_to_sum(ranks, *size) for name, size in SIZES.items()}
        step = seconds_of_a_step(ranks) if ranks.size == 2 else None
        if ranks.rank == 0:
            add(path, ranks.size, row, step)


def seconds_to_sum(ranks: Communicator, size: int, repeats: int) -> dict[str, float]:
    """The median and the least time that this rank waited for a sum of `size` bytes."""
    array = np.zeros(size // 4, np.float32)
    times = np.empty(repeats)
    for k in range(repeats):
        ranks.sum(np.zeros(1))  # all begin together
        began = perf_counter()
        ranks.sum(array)
        times[k] = perf_counter() - began
    return {"bytes": size, "median": median(times.tolist()), "least": float(times.min())}


def seconds_of_a_step(ranks: Communicator) -> dict[str, float]:
    """ResNet-20, forward and backward on 64 images a rank, and the message with its gradient: the least time of each.

    "local": batch norm over the rank's own images; "sync": over all ranks' images; "message": the gradient's sum.
    """
    random.manual_seed(0)
    model = models.build("resnet20")
    images = Tensor(np.random.default_rng(ranks.rank).standard_normal((IMAGES, 3, 32, 32), np.float32))
    labels = Tensor(np.arange(IMAGES) % 10)
    rows = Rows.of(IMAGES * ranks.size, ranks.rank, ranks.size)
    flat = FlatGradients(model.parameters())
    found: dict[str, list[float]] = {"local": [], "sync": [], "message": []}
    for _ in range(STEPS):
        for kind in ("local", "sync"):
            with synchronised(ranks, rows) if kind == "sync" else nullcontext():
                ranks.sum(np.zeros(1))
                began = perf_counter()
                backpropagate(model, images, labels, label_smoothing=0.0, share=rows.share)
                found[kind].append(perf_counter() - began)
            ranks.sum(np.zeros(1))
            began = perf_counter()
            flat.sum(ranks, rows.share, [])
            found["message"].append(perf_counter() - began)
            model.zero_grad()
    return {kind: min(times) for kind, times in found.items()}


def add(path: Path, ranks: int, row: dict[str, Any], step: dict[str, float] | None) -> None:
    found = json.loads(path.read_text()) if path.exists() else {}
    rows = {**found.get("rows", {}), str(ranks): row}
    report = {"cpu": cpu_name(), "cores": available_cores(), "rows": rows, "step": step or found.get("step")}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
