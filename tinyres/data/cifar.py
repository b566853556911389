"""CIFAR-10 and CIFAR-100 from the official binary files: 60,000 colour photographs of 32×32 pixels.

A file is a row of records with nothing between them, pixels in rows from the top left, all red ones, then all green,
then all blue:

    CIFAR-10    label │ 1,024 red │ 1,024 green │ 1,024 blue                       3,073 bytes
    CIFAR-100   coarse label │ fine label │ 1,024 red │ 1,024 green │ 1,024 blue   3,074 bytes

The binary files and not the Python ones, for those are pickles, and a pickle may run any code when it is read.
Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyres.data.archive import read_receipt, unpack
from tinyres.data.dataset import DataError, Dataset
from tinyres.data.download import Archive, data_home, fetch

PIXELS = 3 * 32 * 32
CURE = "unpack the official archive anew, or delete the folder and run without a data folder to have it downloaded"

# The official host sends some 50 kB/s: an hour an archive. So two mirrors come first that other projects' own code
# downloads from: Swift for TensorFlow's and MindSpore's. Whoever sends it, the SHA-256 is checked.
OFFICIAL = "https://www.cs.toronto.edu/~kriz"
SWIFT = "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10"
MINDSPORE = "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets"


@dataclass(frozen=True)
class Cifar:
    """How one of the two is laid out on disk.

    train, test: records in each file, by the file's name
    label_bytes: bytes before a record's pixels; the last of them is the label used
    classes:     how many
    class_names: the file that lists them
    """

    name: str
    folder: str
    train: Mapping[str, int]
    test: Mapping[str, int]
    label_bytes: int
    classes: int
    class_names: str
    archive: Archive

    @property
    def record_bytes(self) -> int:
        return self.label_bytes + PIXELS

    def sizes(self) -> dict[str, int | None]:
        """Bytes of every file, None for the list of class names."""
        records = {**self.train, **self.test}
        return {file: count * self.record_bytes for file, count in records.items()} | {self.class_names: None}


CIFAR10 = Cifar(
    name="cifar10",
    folder="cifar-10-batches-bin",
    train={f"data_batch_{i}.bin": 10_000 for i in range(1, 6)},
    test={"test_batch.bin": 10_000},
    label_bytes=1,
    classes=10,
    class_names="batches.meta.txt",
    archive=Archive(
        name="cifar-10-binary.tar.gz",
        size=170_052_171,
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        urls=tuple(f"{host}/cifar-10-binary.tar.gz" for host in (SWIFT, MINDSPORE, OFFICIAL)),
    ),
)

CIFAR100 = Cifar(
    name="cifar100",
    folder="cifar-100-binary",
    train={"train.bin": 50_000},
    test={"test.bin": 10_000},
    label_bytes=2,
    classes=100,
    class_names="fine_label_names.txt",
    archive=Archive(
        name="cifar-100-binary.tar.gz",
        size=168_513_733,
        sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        urls=tuple(f"{host}/cifar-100-binary.tar.gz" for host in (MINDSPORE, OFFICIAL)),
    ),
)


def load_cifar(layout: Cifar, data_dir: str | Path | None = None, *, quiet: bool = False) -> tuple[Dataset, Dataset]:
    """(training set, test set), from a folder of yours or, without `data_dir`, from the cache, downloaded if need be.

    data_dir: the folder with the files, or the one above it; it is only read
    quiet:    no progress bar, no notices

    Raises DataError, naming the file, if one is missing, has the wrong size, has a label out of range or has changed
    since it was downloaded.
    """
    folder = _cached_folder(layout, quiet) if data_dir is None else _local_folder(layout, Path(data_dir).expanduser())
    hashes = read_receipt(folder)
    if hashes is None and not quiet:
        print(f"tinyres: {folder}: not downloaded by tinyres, so its checksums are not verified", file=sys.stderr)
    names = _read_class_names(layout, folder, hashes)
    return _read_set(layout, folder, layout.train, names, hashes), _read_set(layout, folder, layout.test, names, hashes)


def _cached_folder(layout: Cifar, quiet: bool) -> Path:
    """Where our own copy lies; it is downloaded and unpacked if it is not there yet."""
    folder = data_home() / layout.folder
    if not folder.is_dir():
        archive = fetch(layout.archive, data_home(), quiet=quiet)
        unpack(archive, layout.archive.sha256, folder, layout.sizes())
        archive.unlink(missing_ok=True)
    return folder


def _local_folder(layout: Cifar, data_dir: Path) -> Path:
    """`data_dir` itself or the folder within it, whichever holds the data."""
    first = next(iter(layout.train))
    for folder in (data_dir / layout.folder, data_dir):
        if folder.is_dir() and (folder.name == layout.folder or (folder / first).exists()):
            return folder
    raise DataError(
        f"{data_dir}: expected a folder that holds {layout.folder} (with {first} and so on), or that folder itself; "
        "name the right folder, or none to have the data downloaded"
    )


def _read_set(
    layout: Cifar, folder: Path, records: Mapping[str, int], names: tuple[str, ...], hashes: Mapping[str, str] | None
) -> Dataset:
    """The pictures of these files, one file after the other."""
    images = np.empty((sum(records.values()), 3, 32, 32), np.uint8)
    labels = np.empty(len(images), np.int64)
    start = 0
    for file, count in records.items():
        content = _read_file(folder / file, hashes)
        here = slice(start, start + count)
        images[here], labels[here] = _parse(layout, content, count, origin=folder / file)
        start += count
    return Dataset(images, labels, names, layout.name)


def _parse(layout: Cifar, content: bytes, count: int, origin: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cut a file's content into `count` records: images uint8 (count, 3, 32, 32), a view, and labels uint8 (count,).

    origin: the file, for the error that is raised if the length or a label is wrong (DataError)
    """
    if len(content) != count * layout.record_bytes:
        expected = f"{count * layout.record_bytes:,} bytes ({count:,} records of {layout.record_bytes:,})"
        raise DataError(f"{origin}: expected {expected}, got {len(content):,}; {CURE}")
    records = np.frombuffer(content, np.uint8).reshape(count, layout.record_bytes)
    labels = records[:, layout.label_bytes - 1]
    if labels.max() >= layout.classes:
        record = int(np.argmax(labels >= layout.classes))
        wrong = f"expected labels below {layout.classes}, got {labels[record]} in record {record}"
        raise DataError(f"{origin}: {wrong}; {CURE}")
    return records[:, layout.label_bytes :].reshape(count, 3, 32, 32), labels


def _read_class_names(layout: Cifar, folder: Path, hashes: Mapping[str, str] | None) -> tuple[str, ...]:
    names = tuple(_read_file(folder / layout.class_names, hashes).decode(errors="replace").split())
    if len(names) != layout.classes:
        raise DataError(f"{folder / layout.class_names}: expected {layout.classes} names, got {len(names)}; {CURE}")
    return names


def _read_file(path: Path, hashes: Mapping[str, str] | None) -> bytes:
    """The file's content, which is compared with its receipt if there is one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {CURE}") from error
    if hashes is not None and hashlib.sha256(content).hexdigest() != hashes.get(path.name):
        raise DataError(f"{path}: has changed since it was downloaded (its SHA-256 is not the receipt's); {CURE}")
    return content
