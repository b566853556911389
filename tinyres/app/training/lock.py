"""One process at a time on a run's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinyres.app.training.errors import RunError
from tinyres.app.training.files import LEFTOVERS

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, the folder is this process's. RunError: it is another's, or nothing can be written there.

    The system itself lets go of the lock when the process ends, however it ends. The file stays, for whoever removed
    it might remove the lock of one who came in between. On Windows there is no such lock, and none is taken.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written to ({error.strerror}); name another folder") from error
    try:
        _lock(descriptor, folder)
        for leftover in folder.glob(LEFTOVERS):  # of one that was killed while it wrote
            leftover.unlink()
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Is a process at work on the folder's run? (On Windows: False.)"""
    try:
        import fcntl

        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except (ImportError, OSError):  # no such locks, or nobody ever took this one
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for an instant, until it is closed
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        raise RunError(
            f"{folder}: another process is at work on this run (pid {owner}); wait for it, or stop it"
        ) from None
    with suppress(OSError):  # it is for the message above, and not worth ending a run on a full disk
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
