"""Writing a file so that, whatever happens meanwhile, there is the old one or the new one and never half of one.

The system is called by name, os.write and not a file's write, so that a test can end the process at every call.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

LEFTOVERS = ".*.tmp"  # what a process that was killed may leave behind
BLOCK = 1 << 24  # bytes in a call


def write_atomically(path: Path, *parts: bytes | memoryview, before: Path | None = None) -> None:
    """Write beside the place, bring it to the disk, then rename: a rename happens whole or not at all.

    parts:  the content, one after the other
    before: where the file that lay there goes. Between the two renames there is this one and no `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, os.O_TRUNC, *parts)
        if before is not None and path.exists():
            os.replace(path, before)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)  # it is there only if something failed


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, and bring it to the disk."""
    _write(path, os.O_APPEND, content)


def write_json(path: Path, value: Any) -> None:
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: without it a renamed file may have its old name after a power cut."""
    if os.name == "nt":  # there folders cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no such thing
            raise
    finally:
        os.close(descriptor)


def _write(path: Path, how: int, *parts: bytes | memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how | getattr(os, "O_BINARY", 0), 0o666)  # less the umask
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(descriptor, rest[:BLOCK]) :]
        os.fsync(descriptor)
    except OSError as error:
        error.filename = str(path)  # os.write knows none, and the message is to name it
        raise
    finally:
        os.close(descriptor)
