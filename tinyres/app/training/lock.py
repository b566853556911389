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
    """Inside, only this process may use the folder. RunError: another process does, or nothing can be written there.

    The system releases the lock when the process ends, however it ends. The lock file stays: a process that removed it
    might remove it while another one has just locked it. Windows has no such lock, and none is taken there.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written to ({error.strerror}); name another folder") from error
    try:
        _lock(descriptor, folder)
        for leftover in folder.glob(LEFTOVERS):  # by a process that was killed while it wrote
            leftover.unlink()
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Is a process working on the run in this folder? Always False on Windows."""
    try:
        import fcntl

        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except (ImportError, OSError):  # no such locks, or this one was never taken
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for a moment, until the file is closed
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
            f"{folder}: another process is at work on this run (pid {owner}); wait until it ends, or stop it"
        ) from None
    with suppress(OSError):  # only the message above needs it; a full disk must not end the run here
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
