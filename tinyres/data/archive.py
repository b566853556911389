"""Take the files that are wanted out of a tar archive, and nothing else; leave a receipt that says what they were.

An archive is a stranger's list of file names: names may climb out of the folder, links may point anywhere, a small
archive may hold a huge file. So nothing is extracted as it is told: each wanted file is known by its exact name and
size beforehand, only its bytes are read, and where they go is decided here.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from tinyres.data.dataset import DataError

RECEIPT = "tinyres-receipt.json"
SMALL = 1 << 16  # bytes; the most that a file of unstated size, or one to be passed over, may have
BLOCK = 1 << 20


def unpack(archive: Path, sha256: str, folder: Path, sizes: Mapping[str, int | None]) -> None:
    """Create `folder` with the members FOLDER/NAME of a .tar.gz, one for each NAME in `sizes`, and with a receipt.

    sha256: the archive's (known already), for the receipt
    sizes:  exact bytes of each file, or None for a short text

    The folder appears complete or not at all. Raises DataError if a member is missing, given twice, no plain file, or
    of another size.
    """
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    temporary.chmod(0o755)  # mkdtemp's 0700 would shut others out of a shared data folder
    try:
        hashes = _copy_members(archive, temporary, {f"{folder.name}/{name}": size for name, size in sizes.items()})
        _write_receipt(temporary, archive.name, sha256, hashes)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # if it is: another process did the same and was quicker
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # it is gone unless something failed


def _copy_members(archive: Path, destination: Path, sizes: Mapping[str, int | None]) -> dict[str, str]:
    """Copy the members named in `sizes` into `destination`; the SHA-256 of each, by the file's name."""
    missing = set(sizes)
    hashes: dict[str, str] = {}
    try:
        with gzip.open(archive) as unzipped, _Limited(unzipped, _most(sizes)) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:  # "|": one pass, front to back
                for member in tar:
                    if _is_wanted(archive, member, sizes):
                        path = destination / member.name.rpartition("/")[2]
                        hashes[path.name] = _copy(tar, member, path)
                        missing.remove(member.name)
                    if not missing:
                        break
            while stream.read(BLOCK):  # to the end, where gzip has its checksum
                pass
        if not missing:
            return hashes
    except FileExistsError as error:
        raise DataError(f"{archive}: contains a file twice ({error.filename}); refused") from error
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error}); delete it and run again") from error
    raise DataError(f"{archive}: expected it to contain {', '.join(sorted(missing))}; delete it and run again")


class _Limited(io.RawIOBase):
    """What a stream gives, and an error when it gives more than it may.

    tarfile reads a long name or a pax header whole, however long it says it is: a small archive of zeros could fill
    the memory.
    """

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(BLOCK if size < 0 else min(size, BLOCK))
        self.left -= len(content)
        if self.left < 0:
            raise tarfile.ReadError("it goes on beyond all that it should hold")
        return content


def _most(sizes: Mapping[str, int | None]) -> int:
    """Bytes that an archive of these files has at most, with some room for headers and small files besides."""
    return sum(SMALL if size is None else size for size in sizes.values()) + 64 * SMALL


def _is_wanted(archive: Path, member: tarfile.TarInfo, sizes: Mapping[str, int | None]) -> bool:
    """Whether to copy this member. Raises DataError if it has a wanted name but is something else."""
    if member.name not in sizes:
        if member.size > SMALL:  # even to pass it over, it would have to be decompressed
            raise DataError(f"{archive}: contains {member.name} of {member.size:,} bytes, unexpected; refused")
        return False
    size = sizes[member.name]
    if not member.isreg():
        raise DataError(f"{archive}: expected {member.name} to be a plain file, it is a link or device; refused")
    if size is None:
        fits, expected = member.size <= SMALL, f"at most {SMALL:,}"
    else:
        fits, expected = member.size == size, f"{size:,}"
    if not fits:
        raise DataError(f"{archive}: expected {member.name} to have {expected} bytes, it has {member.size:,}; refused")
    return True


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    """Copy one member to `path`, down to the disk; its SHA-256."""
    source = tar.extractfile(member)
    assert source is not None, "a plain file has contents"
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while block := source.read(BLOCK):
            file.write(block)
            digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _write_receipt(folder: Path, archive_name: str, archive_sha256: str, hashes: Mapping[str, str]) -> None:
    files = {name: {"sha256": sha256, "size": (folder / name).stat().st_size} for name, sha256 in hashes.items()}
    receipt = {"archive": archive_name, "archive_sha256": archive_sha256, "files": files}
    (folder / RECEIPT).write_text(json.dumps(receipt, indent=2) + "\n")


def read_receipt(folder: Path) -> dict[str, str] | None:
    """SHA-256 of each file in `folder` as unpacked, or None if there is no receipt: the files came some other way."""
    path = folder / RECEIPT
    if not path.exists():
        return None
    try:
        return {name: file["sha256"] for name, file in json.loads(path.read_text())["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: is no receipt of tinyres's ({error!r}); delete the folder and run again") from error
