"""The machine: what it is, and how fast it can possibly be."""

from __future__ import annotations

import os
import platform
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import tinyres
from tinyres.app.bench.stopwatch import seconds

ROUNDS = 2_000_000  # of the multiply-add loop: about 10 ms
MATRIX = 2048  # rows and columns in the matrix product
COPIED = 128 * 2**20  # bytes copied: more than the caches hold


def machine(threads: int) -> dict[str, Any]:
    """Names and versions, the width of a vector in bits, and the measured roofs."""
    from tinyres_kernels.cpu.host import VECTOR_BYTES

    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "threads": threads,
        "vector_bits": 8 * VECTOR_BYTES,
        "versions": versions(),
        "peak_gflops": peak(threads, ROUNDS),
        "sgemm_gflops": sgemm(MATRIX),
        "copy_gb_per_s": copy_bandwidth(threads, COPIED),
    }


def peak(threads: int, rounds: int, repeats: int = 10) -> float:
    """GFLOP/s of multiply-adds that stay in registers, float32, on all threads: the best of `repeats`.

    The best and not the median, because this is an upper limit: other programs on this machine can only lower it.
    """
    from tinyres_kernels.cpu.peak import FLOP_PER_ROUND, multiply_adds

    totals = np.empty(threads, np.float32)
    return threads * rounds * FLOP_PER_ROUND / min(seconds(lambda: multiply_adds(rounds, totals), repeats)) / 1e9


def sgemm(size: int, repeats: int = 5) -> float:
    """GFLOP/s of NumPy's product of two square float32 matrices: the best of `repeats`."""
    a, b = (np.random.default_rng(seed).random((size, size), np.float32) for seed in (0, 1))
    y = np.empty_like(a)
    return 2 * size**3 / min(seconds(lambda: np.matmul(a, b, out=y), repeats)) / 1e9


def copy_bandwidth(threads: int, size: int, repeats: int = 5) -> float:
    """GB/s of copying `size` bytes, split among the threads: the best of `repeats`. Reading and writing both count."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    shares = np.array_split(target, threads), np.array_split(source, threads)
    with ThreadPoolExecutor(threads) as pool:
        taken = seconds(lambda: list(pool.map(np.copyto, *shares)), repeats)
    return 2 * size / min(taken) / 1e9


def available_cores() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """The versions of Python, of tinyres and of the libraries that compute; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "tinyres": tinyres.__version__}
    for name in ("numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
