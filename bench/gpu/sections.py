"""All of `python -m bench gpu`, section by section; if one breaks, the others still run."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu import report
from bench.gpu.worker import LEFT_OUT, PATIENCE, rows
from tinyres.app.training import RunError
from tinyres.device import to_device

MODELS = ("resnet20", "resnet56", "resnet18_cifar")
PAPER_PATIENCE = 3600  # seconds

Result = dict[str, Any]


def bench(
    models: tuple[str, ...],
    batch_size: int,
    repeats: int,
    with_torch: bool = True,
    paper: Path | None = None,
    data_dir: str | None = None,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda text: None,
    keep: Callable[[Result], None] = lambda result: None,
) -> Result:
    """Measure everything; the result can be written as JSON, and `failures` lists what did not work.

    models:  trained one after the other; the kernels of the first are timed one by one
    repeats: timed calls of each kernel; a step's time is the mean of ten times as many
    paper:   a new folder for a run of the paper's recipe on the CIFAR-10 in data_dir; None: no such run
    minutes: after this time no new measurement begins
    say:     called with each row and each table as soon as it is there
    keep:    called after every section with the result so far

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
    }
    if with_torch and find_spec("torch"):
        jobs["torch_steps"] = training
    if paper is not None:
        jobs["paper"] = {"out": str(paper), "data_dir": data_dir}
    result: Result = {"settings": {**training, "minutes": minutes}, "sections": {}}
    for section, job in jobs.items():
        result["sections"][section] = []
        for row in rows(f"bench.gpu.{section}", job, until, PAPER_PATIENCE if section == "paper" else PATIENCE):
            result["sections"][section].append(row)
            say(report.row_line(section, row))
        say(report.section_text(section, result))
        keep(result)
    return result


def failures(result: Result) -> list[str]:
    """What did not work, and why. What was left out for want of time has not failed."""
    return [
        f"{section}, {row['item']}: {row['error']}"
        for section, found in result["sections"].items()
        for row in found
        if "error" in row and row["error"] != LEFT_OUT
    ]
