"""Compile once and keep the result on disk.

numba's own cache looks only at the file of the function itself. After an edit to conv2d_tile.py it would still serve
the old kernels of conv2d_direct.py, which contain the tile. So the folder's name holds a hash of all sources in this
package: an edit anywhere leads to a new folder, and old ones are removed when nobody has used them for a month. numba
is given the folder only while it wraps our functions; other users of numba in this process keep their own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numba

UNUSED_DAYS = 30


def folder() -> str:
    """The folder of the compiled kernels: in NUMBA_CACHE_DIR, else in the user's cache, else a temporary one."""
    try:
        caches = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        wanted = Path(caches) / "tinyres" / fingerprint(Path(__file__).parent)
        wanted.mkdir(parents=True, exist_ok=True)
        if os.access(wanted, os.W_OK):
            remove_unused(wanted)
            return str(wanted)
    except (OSError, RuntimeError):  # RuntimeError: this user has no home
        pass
    return tempfile.mkdtemp(prefix="tinyres-")


def fingerprint(package: Path) -> str:
    """A hash that differs for every version of the package's sources."""
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def remove_unused(wanted: Path) -> None:
    """Note that `wanted` is used today, and remove the folders of other sources beside it, unused for UNUSED_DAYS.

    It does no harm if this fails, or if two processes do it at once: numba makes a missing folder again.
    """
    with suppress(OSError):
        os.utime(wanted)
        for other in wanted.parent.iterdir():  # data sets are there too, so the name decides
            is_ours = other != wanted and re.fullmatch("[0-9a-f]{16}", other.name)
            if is_ours and time.time() - other.stat().st_mtime > UNUSED_DAYS * 24 * 60 * 60:
                shutil.rmtree(other, ignore_errors=True)


FOLDER = folder()


def is_empty() -> bool:
    """Has nothing been compiled yet?"""
    return not any(Path(FOLDER).rglob("*.nbi"))


def compiled(function: Callable) -> Callable:
    """`numba.njit`, cached in FOLDER, without fast-math, so that NaN and infinity keep their meaning."""
    return wrapped(function, nogil=True)


# numba would also share out every array expression among the threads. For small arrays that costs more than it saves:
# waking a thread takes 10 to 100 µs. So only what is written as a prange runs on several threads.
ONLY_PRANGE = dict.fromkeys(("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil"), False)


def compiled_parallel(function: Callable) -> Callable:
    """The same for a function with a `prange`. Call such a function from the main thread only: numba's simplest
    threading layer ends the process when two threads enter it."""
    return wrapped(function, parallel=dict(ONLY_PRANGE))


def wrapped(function: Callable, **options: bool | dict[str, bool]) -> Callable:
    """njit, with numba's cache folder set to ours in the meantime."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, FOLDER
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before
