"""A section's items, one after the other, in a process of their own: `python -m tinyres.app.bench.gpu.worker MODULE …`.

A wrong address in a kernel ends everything else that its process ever asks of the card, and some mistakes hang. So a
process ends with its first failure, another one takes up the items behind it, and what was measured before is kept: a
row is written as soon as it is there. Every section is a module with

    class Section: __init__(self, **job)     labels: of what is to be measured
                   measure(label)            the figures of one, as a dict that can be written as JSON; or an error

Nothing of it is imported before a process is told to: torch's and CuPy's memory need not meet.
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

from tinyres.app.bench.compare import reason

Row = dict[str, Any]
PATIENCE = 300  # seconds without a row, and a process is given up
LEFT_OUT = "left out: the time was over"


def rows(section: str, job: Row, until: float | None = None, patience: float = PATIENCE) -> Iterator[Row]:
    """{"item": its label, and its figures or an "error"}, each row as soon as it is there.

    until: the time (of time.time) from which on no item is begun. patience: the seconds that one may take.
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
            if process.returncode == 0:  # all is done, or it had no time for the rest
                if not labels:
                    return
                continue
            said.seek(0)
            yield {"item": labels[done] if labels else "all", "error": why(process, said.read(), patience)}
            done += 1
            if not labels:
                return


def start(section: str, job: Row, first: int, until: float | None, said: IO[str]) -> subprocess.Popen[str]:
    """A process for the items from `first` on; what it says besides goes into the file `said`."""
    arguments = [json.dumps(argument) for argument in (job, first, until)]
    command = [sys.executable, "-P", "-m", "tinyres.app.bench.gpu.worker", section, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)


def watched(process: subprocess.Popen[str], patience: float) -> Iterator[Row]:
    """What it prints; it is killed if for so many seconds nothing comes."""
    assert process.stdout is not None
    watch = Timer(patience, process.kill)
    watch.start()
    try:
        for line in process.stdout:
            watch.cancel()
            if line.startswith("{"):  # and not something that a library had to say
                yield json.loads(line)
            watch = Timer(patience, process.kill)
            watch.start()
        process.wait()
    finally:
        watch.cancel()
        process.stdout.close()
        process.kill()  # if somebody stops us; one that has ended it does not reach
        process.wait()


def why(process: subprocess.Popen[str], said: str, patience: float) -> str:
    """Of a process that has ended too early."""
    if process.returncode < 0 and not said.strip():
        return f"ended by signal {-process.returncode}: no result within {patience:.0f} seconds, or no memory"
    return reason(subprocess.CompletedProcess(process.args, process.returncode, "", said))


def work(section: str, job: Row, first: int, until: float | None) -> None:
    """Print the labels, and then the rows from the first on; an error ends it."""
    told = import_module(section).Section(**job)
    print(json.dumps({"labels": told.labels}), flush=True)
    for label in told.labels[first:]:
        if until is not None and time.time() > until:
            return
        print(json.dumps({"item": label, **told.measure(label)}), flush=True)


if __name__ == "__main__":
    work(sys.argv[1], *map(json.loads, sys.argv[2:]))
