"""Compile once, keep the result on disk.

numba's own cache looks at the file of the function alone: edit tile.py, and the kernels in conv2d.py that contain it
would be served as they were. So the folder carries a hash of all the sources in this package; an edit anywhere, and
there is a new one, and the old ones are removed when nobody has used them for a month. The folder is handed to numba
only while it wraps our functions: what else uses numba in this process keeps its own.
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
    """Where compiled kernels lie: in NUMBA_CACHE_DIR, else in the user's cache, else in a temporary folder."""
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
    """Another for every version of the package's sources."""
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def remove_unused(wanted: Path) -> None:
    """Note that `wanted` is used today, and remove its neighbours, folders of other sources, unused for UNUSED_DAYS.

    It matters to nobody if this fails, or if two processes do it at once. Should one still need a folder that is gone,
    numba compiles again and makes it anew.
    """
    with suppress(OSError):
        os.utime(wanted)
        for other in wanted.parent.iterdir():  # data sets lie there too, so the name is looked at
            is_ours = other != wanted and re.fullmatch("[0-9a-f]{16}", other.name)
            if is_ours and time.time() - other.stat().st_mtime > UNUSED_DAYS * 24 * 60 * 60:
                shutil.rmtree(other, ignore_errors=True)


FOLDER = folder()


def is_empty() -> bool:
    """Has nothing been compiled yet?"""
    return not any(Path(FOLDER).rglob("*.nbi"))


def compiled(function: Callable) -> Callable:
    """`numba.njit`, cached in FOLDER. Array code is left as written: no fast-math, so NaN and infinity behave."""
    return wrapped(function, nogil=True)


# numba would also share out among the threads whatever array is filled or added along the way. For small ones that
# costs more than it gives: waking a thread takes 10 to 100 µs. Only what is written as a prange runs on several.
ONLY_PRANGE = dict.fromkeys(("comprehension", "reduction", "inplace_binop", "setitem", "numpy", "stencil"), False)


def compiled_parallel(function: Callable) -> Callable:
    """The same for a function with a `prange`. To be called from the main thread only: numba's simplest threading layer
    ends the process when two threads enter it."""
    return wrapped(function, parallel=dict(ONLY_PRANGE))


def wrapped(function: Callable, **options: bool | dict[str, bool]) -> Callable:
    """njit, with numba's cache folder set to ours meanwhile."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, FOLDER
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before
