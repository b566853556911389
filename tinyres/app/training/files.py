"""Writing a file so that, whatever happens meanwhile, there is the old file or the new one but never half of one.

Every system call is made by its name, such as os.write, so that a test can kill the process at each of them.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

LEFTOVERS = ".*.tmp"  # files that a killed process may leave behind
BLOCK = 1 << 24  # bytes in one call of os.write


def write_atomically(path: Path, *parts: bytes | memoryview, before: Path | None = None) -> None:
    """Write a temporary file beside it, flush it to the disk, and rename it: a rename happens entirely or not at all.

    parts:  the content, in order
    before: the new name of the old file. Between the two renames there is a `before` but no `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, os.O_TRUNC, *parts)
        if before is not None and path.exists():
            os.replace(path, before)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)  # it still exists only if something failed


def append(path: Path, content: bytes) -> None:
    """Append to a file, and flush it to the disk."""
    _write(path, os.O_APPEND, content)


def write_json(path: Path, value: Any) -> None:
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk. Without it a renamed file may have its old name again after a power cut."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this file system cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def _write(path: Path, how: int, *parts: bytes | memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how | getattr(os, "O_BINARY", 0), 0o666)  # minus the umask
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(descriptor, rest[:BLOCK]) :]
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(path)  # os.write does not know it, and the message needs it
        raise
    finally:
        os.close(descriptor)
