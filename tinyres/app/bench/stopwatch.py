"""Measures time and memory. tinyres and torch are measured with the same stopwatch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

WARM_UP = 3  # calls before the measurement: they compile, fill the caches, and map the memory


def seconds(call: Callable[[], Any], repeats: int) -> list[float]:
    """The wall-clock time of each of `repeats` calls, after WARM_UP calls that do not count."""
    for _ in range(WARM_UP):
        call()
    taken = []
    for _ in range(repeats):
        started = perf_counter()
        call()
        taken.append(perf_counter() - started)
    return taken


def peak_memory() -> int | None:
    """The most memory that this process ever held, in bytes; None if the system does not tell (not Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * int(lines["VmHWM"].split()[0])  # "VmHWM:   1234 kB": the high-water mark of the resident set
