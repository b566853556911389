"""Measures a section's items one after the other in a process of its own: `python -m bench.gpu.worker MODULE …`.

After a wrong address in a kernel, every later call of that process to the GPU fails, and some bugs hang. So a process
ends at its first failure, and a new one goes on with the next item. Each row is printed as soon as it is measured, so
nothing is lost. Every section is a module with

    class Section: __init__(self, **job)     labels: the names of its items
                   measure(label)            the figures of one item, as a dict that JSON can hold; or an error

A section is imported only in its own process, so torch and CuPy never share the GPU's memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from threading import Timer
from typing import IO, Any

from tinyres.app.bench.processes import reason

Row = dict[str, Any]
PATIENCE = 60  # seconds without a row after which a process is killed
LEFT_OUT = "left out: no time was left"


def rows(section: str, job: Row, until: float | None = None, patience: float = PATIENCE) -> Iterator[Row]:
    """{"item": its label, and its figures or an "error"}, each row as soon as it is measured.

    until: the time (by time.time) after which no item begins. patience: the seconds that one item may take.
    """
    labels: list[str] = []
    done = 0
    while not labels or done < len(labels):
        if until is not None and time.time() > until:
            yield from ({"item": label, "error": LEFT_OUT} for label in labels[done:] or ["all"])
            return
        with tempfile.TemporaryFile("w+") as said:
            process = start(section, job, done, until, said)
            for row in watched(process, patience):
                if "labels" in row:
                    labels = row["labels"]
                    continue
                done += 1
                yield row
            if process.returncode == 0:  # everything is done, or no time was left for the rest
                if not labels:
                    return
                continue
            said.seek(0)
            yield {"item": labels[done] if labels else "all", "error": why(process, said.read(), patience)}
            done += 1
            if not labels:
                return


def start(section: str, job: Row, first: int, until: float | None, said: IO[str]) -> subprocess.Popen[str]:
    """A process for the items from `first` on; its messages go into the file `said`."""
    arguments = [json.dumps(argument) for argument in (job, first, until)]
    command = [sys.executable, "-P", "-m", "bench.gpu.worker", section, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)


def watched(process: subprocess.Popen[str], patience: float) -> Iterator[Row]:
    """The rows that the process prints; it is killed if none comes for `patience` seconds."""
    assert process.stdout is not None
    watch = Timer(patience, process.kill)
    watch.start()
    try:
        for line in process.stdout:
            watch.cancel()
            if line.startswith("{"):  # other lines are messages of some library
                yield json.loads(line)
            watch = Timer(patience, process.kill)
            watch.start()
        process.wait()
    finally:
        watch.cancel()
        process.stdout.close()
        process.kill()  # if we were stopped; this does nothing to a process that has ended
        process.wait()


def why(process: subprocess.Popen[str], said: str, patience: float) -> str:
    """Why a process ended too early."""
    if process.returncode < 0 and not said.strip():
        return f"ended by signal {-process.returncode}: no result within {patience:.0f} seconds, or out of memory"
    return reason(subprocess.CompletedProcess(process.args, process.returncode, "", said))


def work(section: str, job: Row, first: int, until: float | None) -> None:
    """Print the labels, then the rows from `first` on; an error ends the process."""
    told = import_module(section).Section(**job)
    print(json.dumps({"labels": told.labels}), flush=True)
    for label in told.labels[first:]:
        if until is not None and time.time() > until:
            return
        print(json.dumps({"item": label, **told.measure(label)}), flush=True)


if __name__ == "__main__":
    work(sys.argv[1], *map(json.loads, sys.argv[2:]))
