"""How many threads compute: one setting for numba's kernels and for BLAS's matrix products.

`tinyres.set_num_threads(2)`, `TINYRES_NUM_THREADS=2` (read when tinyres is imported) and `--threads 2` are the same;
without them, every core that this process may use. The two never compute at once, so they share the cores and do not
compete. A result is the same bit for bit from run to run at one number of threads; at another, sums may be added up in
another order.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Chosen:
    threads: int | None = None  # None: all cores


def get_num_threads() -> int:
    """How many threads compute."""
    if _Chosen.threads is not None:
        return _Chosen.threads
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def set_num_threads(threads: int) -> None:
    """Compute on this number of threads from here on. More threads than cores do not help; numba then uses all."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if threads < 1:
        raise ValueError(f"set_num_threads: expected 1 or more, got {threads}")
    _Chosen.threads = threads
    threadpool_limits(threads)  # lasts until the next call
    if sys.modules.get("numba"):  # None: somebody has barred it
        tell_numba()


def tell_numba() -> None:
    """Hand the setting to numba; whoever loads it calls this."""
    import numba

    numba.set_num_threads(min(get_num_threads(), numba.config.NUMBA_NUM_THREADS))


def follow_environment() -> None:
    """Use the number of threads in TINYRES_NUM_THREADS, if it is set."""
    wanted = os.environ.get("TINYRES_NUM_THREADS")
    if wanted is None:
        return
    if not wanted.isdigit():
        raise ValueError(f"TINYRES_NUM_THREADS: expected a number of 1 or more, got {wanted!r}")
    set_num_threads(int(wanted))


@contextmanager
def using_threads(threads: int | None) -> Iterator[int]:
    """Inside, compute on this number of threads (None: the number as it is). Yields the number."""
    before = get_num_threads()
    set_num_threads(before if threads is None else threads)
    try:
        yield get_num_threads()
    finally:
        set_num_threads(before)
