"""All of `python -m bench gpu`, section by section; if one breaks, the others still run."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu import report, worker
from tinyres.app.training import RunError
from tinyres.device import to_device

MODELS = ("resnet20", "resnet56", "resnet18_cifar")
SECTIONS = ("correctness", "roofs", "kernels", "training", "epochs", "torch_steps", "paper")
PATIENCE = {"epochs": 120, "torch_steps": 120, "paper": 3600}  # seconds for an item, where it may take so long

Result = dict[str, Any]


def bench(
    models: Sequence[str],
    batch_size: int,
    repeats: int,
    chosen: Collection[str] = SECTIONS,
    paper: Path | None = None,
    data_dir: str | None = None,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda text: None,
    keep: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Measure everything; the result can be written as JSON, and `failures` lists what did not work.

    models:  trained one after the other; the kernels of the first are timed one by one
    repeats: timed calls of each kernel; a step's time is the mean of ten times as many
    chosen:  which of SECTIONS; torch's is left out where torch is not installed
    paper:   a new folder for a run of the paper's recipe on the CIFAR-10 in data_dir; None: no such run
    minutes: after this time no new measurement begins
    say:     called with each row and each table as soon as it is there
    keep:    called after every row with the result so far

    RunError: there is no GPU, or no CuPy.
    """
    try:
        to_device(np.zeros(1), "cuda")
    except RuntimeError as error:
        raise RunError(str(error)) from error
    until = None if minutes is None else time.time() + 60 * minutes
    training = {"models": list(models), "batch_size": batch_size, "repeats": repeats}
    jobs: dict[str, Result] = {
        "correctness": {},
        "roofs": {},
        "kernels": {"model": models[0], "batch_size": batch_size, "repeats": repeats},
        "training": training,
        "epochs": {"models": list(models), "batch_size": batch_size},
        "torch_steps": training,
        "paper": {"out": str(paper), "data_dir": data_dir},
    }
    missing = {"torch_steps": not find_spec("torch"), "paper": paper is None}
    result: Result = {"settings": {**training, "minutes": minutes}, "sections": {}}
    for section in SECTIONS:
        if section not in chosen or missing.get(section):
            continue
        found = result["sections"][section] = []
        patience = PATIENCE.get(section, worker.PATIENCE)
        for row in worker.rows(f"bench.gpu.{section}", jobs[section], until, patience):
            found.append(row)
            say(report.row_line(section, row))
            keep(result)
        say(report.section_text(section, result))
    return result


def failures(result: Result) -> list[str]:
    """What did not work, and why. What was left out for want of time has not failed."""
    return [
        f"{section}, {row['item']}: {row['error']}"
        for section, found in result["sections"].items()
        for row in found
        if "error" in row and row["error"] != worker.LEFT_OUT
    ]
