"""All of `tinyres bench --device cuda`, section by section; one that breaks does not keep the others from being run."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.bench.gpu import report
from tinyres.app.bench.gpu.worker import LEFT_OUT, PATIENCE, rows
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
    """Measure it all; the result can be written as JSON, and `failures` lists what did not work.

    models:  to train; the kernels of the first are timed one by one
    repeats: timed calls of each kernel, and steps of which each time is the mean
    paper:   a new folder for a run of the paper's recipe on CIFAR-10, which data_dir holds; None: no such run
    minutes: after so many nothing new is begun
    say:     is told each row and each table as soon as it is there
    keep:    is given what there is after every section

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
        for row in rows(
            f"tinyres.app.bench.gpu.{section}", job, until, PAPER_PATIENCE if section == "paper" else PATIENCE
        ):
            result["sections"][section].append(row)
            say(report.row_line(section, row))
        say(report.section_text(section, result))
        keep(result)
    return result


def failures(result: Result) -> list[str]:
    """What did not work, and why; what there was no time for did not fail."""
    return [
        f"{section}, {row['item']}: {row['error']}"
        for section, found in result["sections"].items()
        for row in found
        if "error" in row and row["error"] != LEFT_OUT
    ]
