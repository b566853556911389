"""Fetch an archive over HTTP: mirrors in turn, a broken download continued, nothing kept that fails its checksum.

What has come so far lies in NAME.part. Only when its length and SHA-256 are right is it renamed to NAME, which happens
at once or not at all: a file called NAME is whole.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.request import Request, urlopen

from tinyres.data.dataset import DataError

ATTEMPTS = 5  # per mirror, as long as each attempt brings something new
TIMEOUT = 30  # seconds without a byte
BLOCK = 1 << 16  # bytes; small enough that a slow server's progress is seen


@dataclass(frozen=True)
class Archive:
    """A published file: its name, exact size in bytes, SHA-256 (hex), and the addresses to try, in this order."""

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]


class _MirrorError(Exception):
    """This mirror does not give what it should; another one might."""


def data_home() -> Path:
    """Where downloads are kept: $TINYRES_DATA, else tinyres/ in the user's cache ($XDG_CACHE_HOME or ~/.cache)."""
    if chosen := os.environ.get("TINYRES_DATA"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tinyres"


def fetch(archive: Archive, folder: Path, *, quiet: bool = False) -> Path:
    """Download `archive` into `folder`, unless it lies there already; the path of the checked file.

    Base addresses in $TINYRES_MIRRORS (separated by blanks) are tried before the archive's own. Raises DataError, with
    each mirror's reason, if none delivers; what has come is kept and the next call continues it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be created ({error.strerror}); name another in $TINYRES_DATA") from error
    target = folder / archive.name
    if target.exists() and _fault(target, archive) is None:
        return target
    part = folder / (archive.name + ".part")
    failures = []
    with _progress_bar(archive, part, quiet) as show:
        for url in _addresses(archive):
            for _ in range(ATTEMPTS):
                had = _size(part)
                try:
                    _continue_download(url, part, archive.size, show)
                    _place(part, target, archive)
                    return target
                except (OSError, HTTPException, _MirrorError) as error:  # OSError covers all of urllib's
                    failures.append(f"  {url}: {error}")
                if _size(part) == had:  # nothing new came, and nothing bad was thrown away: no use to ask again
                    break
    raise DataError(
        f"{archive.name}: could not be downloaded. Run again to continue ({_size(part):,} of {archive.size:,} bytes "
        f"are here), or fetch it by other means and put it into {folder}\n" + "\n".join(failures)
    )


def _addresses(archive: Archive) -> list[str]:
    chosen = os.environ.get("TINYRES_MIRRORS", "").split()
    return [f"{base.rstrip('/')}/{archive.name}" for base in chosen] + list(archive.urls)


def _continue_download(url: str, part: Path, size: int, show: Callable[[int], None]) -> None:
    """Append to `part` what it lacks of `size` bytes, or write it anew if the server knows no ranges."""
    have = _size(part)
    if have >= size:
        return
    if not url.startswith(("http://", "https://")):
        raise _MirrorError("expected an address that starts with http:// or https://")
    headers = {"User-Agent": "tinyres"} | ({"Range": f"bytes={have}-"} if have else {})
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT) as response:
        continued = _is_continued(response, have, size)
        have = have if continued else 0
        with part.open("ab" if continued else "wb") as file:
            while block := response.read1(BLOCK):  # what is there: no part of a block is lost when it stalls
                file.write(block)
                have += len(block)
                show(have)
                if have > size:
                    break  # the server may go on forever; _place refuses what has come
            file.flush()
            os.fsync(file.fileno())
    if have < size:
        raise _MirrorError(f"the connection broke off after {have:,} of {size:,} bytes")


def _is_continued(response: HTTPResponse, have: int, size: int) -> bool:
    """Whether the answer begins at byte `have`, or else at 0. An answer about any other file is refused."""
    if response.status == 206:
        expected, got = f"bytes {have}-{size - 1}/{size}", response.headers["Content-Range"]
        if got != expected:
            raise _MirrorError(f"expected the range {expected!r}, got {got!r}")
        return True
    length = response.headers["Content-Length"]
    if response.status != 200 or length not in (None, str(size)):
        raise _MirrorError(f"expected status 200 and {size} bytes, got {response.status} and {length} bytes")
    return False


def _place(part: Path, target: Path, archive: Archive) -> None:
    """Rename the finished download, if it is what it should be; if not, delete it."""
    if fault := _fault(part, archive):
        part.unlink()
        raise _MirrorError(fault)
    os.replace(part, target)


def _fault(path: Path, archive: Archive) -> str | None:
    """What is wrong with this file, or None."""
    if _size(path) != archive.size:
        return f"expected {archive.size:,} bytes, got {_size(path):,}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == archive.sha256 else f"expected SHA-256 {archive.sha256}, got {digest}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _progress_bar(archive: Archive, part: Path, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A function that shows how many bytes have come, on a terminal; elsewhere there is one line and no bar."""
    if not sys.stderr.isatty() or quiet:
        if not quiet:
            print(f"tinyres: downloading {part} ({archive.size / 1e6:.0f} MB)", file=sys.stderr)
        yield lambda have: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(archive.name, total=archive.size, completed=_size(part))
        yield lambda have: bar.update(task, completed=have)
