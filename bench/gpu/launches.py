"""What ncu saw of one_step.py, by kernel: `python -m bench.gpu.launches FILE.csv bf16 tf32 float32`.

FILE.csv is made with `--csv --page raw --print-units base`; card.sh has the whole command.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.gpu.report import table

LAST = "next_step"  # the last kernel of a step
NANOSECONDS, BYTES = "gpu__time_duration.sum", "dram__bytes.sum"

Launch = dict[str, str]


def launches(text: str) -> list[Launch]:
    """ncu's rows, in order. Before them are its messages, the names of the columns, and their units."""
    rows = list(csv.reader(text.splitlines()))
    names = next((k for k, row in enumerate(rows) if "Kernel Name" in row), len(rows))
    return [dict(zip(rows[names], row, strict=True)) for row in rows[names + 2 :]]


def steps(found: Sequence[Launch]) -> list[list[Launch]]:
    """The launches of each step."""
    parts: list[list[Launch]] = [[]]
    for launch in found:
        parts[-1].append(launch)
        if name(launch) == LAST:
            parts.append([])
    return [part for part in parts if part]


def by_kernel(step: Sequence[Launch]) -> str:
    """A line for each kernel, the longest first, and one for the step."""
    groups: dict[str, list[Launch]] = {}
    for launch in step:
        groups.setdefault(name(launch), []).append(launch)
    longest = sorted(groups.items(), key=lambda group: -total(group[1], NANOSECONDS))
    lines = [
        (kernel, str(len(group)), f"{total(group, NANOSECONDS) / 1e3:.1f}", f"{total(group, BYTES) / 1e6:.1f}")
        for kernel, group in [*longest, ("all", list(step))]
    ]
    return table([("kernel", "launches", "µs", "MB of memory"), *lines])


def name(launch: Launch) -> str:
    return launch["Kernel Name"].partition("(")[0]


def total(group: Sequence[Launch], metric: str) -> float:
    return sum(float(launch[metric].replace(",", "")) for launch in group)


if __name__ == "__main__":
    for kind, step in zip(sys.argv[2:], steps(launches(Path(sys.argv[1]).read_text(encoding="utf-8"))), strict=False):
        print(f"── {kind}\n{by_kernel(step)}\n")
