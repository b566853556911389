"""tinyres/data/cifar.py with files of a few records each: both formats, what may be wrong, and the way to the cache."""

import dataclasses
import hashlib
import io
import random
import tarfile

import numpy as np
import pytest

from tinyres.data import DataError, load
from tinyres.data.archive import RECEIPT
from tinyres.data.cifar import CIFAR10, CIFAR100, load_cifar
from tinyres.data.download import Archive

TINY10 = dataclasses.replace(CIFAR10, train={"data_batch_1.bin": 12, "data_batch_2.bin": 8}, test={"test_batch.bin": 5})
TINY100 = dataclasses.replace(CIFAR100, train={"train.bin": 12}, test={"test.bin": 5})


def content_of(layout):
    """File by file, random records in the layout's format, and the class names."""
    rng = np.random.default_rng(0)
    contents = {}
    for file, count in {**layout.train, **layout.test}.items():
        records = rng.integers(0, 256, (count, layout.label_bytes + 3072), dtype=np.uint8)
        records[:, : layout.label_bytes] %= 10
        contents[file] = records.tobytes()
    contents[layout.class_names] = "".join(f"class{i}\n" for i in range(layout.classes)).encode() + b"\n"
    return contents


@pytest.fixture
def tiny10(tmp_path):
    """A folder with the files of TINY10 in it."""
    folder = tmp_path / TINY10.folder
    folder.mkdir()
    for name, content in content_of(TINY10).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("layout", [TINY10, TINY100])
def test_every_pixel_and_label_is_where_the_format_says(tmp_path, layout):
    contents = content_of(layout)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    train, test = load_cifar(layout, tmp_path, quiet=True)
    for dataset, files in ((train, layout.train), (test, layout.test)):
        raw = b"".join(contents[file] for file in files)
        record_bytes = layout.label_bytes + 3072
        for n in range(len(dataset)):
            record = raw[n * record_bytes : (n + 1) * record_bytes]
            assert dataset.labels[n] == record[layout.label_bytes - 1]  # CIFAR-100: the second byte, the fine label
            for channel, row, column in [(0, 0, 0), (1, 0, 1), (2, 5, 7), (2, 31, 31)]:
                pixel = record[layout.label_bytes + 1024 * channel + 32 * row + column]
                assert dataset.images[n, channel, row, column] == pixel
    assert len(train) == sum(layout.train.values())
    assert train.classes == tuple(f"class{i}" for i in range(layout.classes))


def test_the_official_layouts():
    assert CIFAR10.sizes() == {f"data_batch_{i}.bin": 30_730_000 for i in range(1, 6)} | {
        "test_batch.bin": 30_730_000,
        "batches.meta.txt": None,
    }
    assert CIFAR100.sizes() == {"train.bin": 153_700_000, "test.bin": 30_740_000, "fine_label_names.txt": None}


def test_either_the_folder_or_the_one_above_it(tiny10):
    inside, above = load_cifar(TINY10, tiny10, quiet=True), load_cifar(TINY10, tiny10.parent, quiet=True)
    assert inside[0].sha256() == above[0].sha256()


def test_a_folder_without_a_receipt_is_used_with_a_notice(tiny10, capsys):
    load_cifar(TINY10, tiny10)
    assert capsys.readouterr().err == f"tinyres: {tiny10}: {NOTICE}\n"
    load_cifar(TINY10, tiny10, quiet=True)
    assert capsys.readouterr().err == ""


NOTICE = "not downloaded by tinyres, so its checksums are not verified"


def test_a_folder_that_holds_something_else(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder that holds cifar-10-batches-bin"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("name", ["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"])
def test_a_missing_file_is_named(tiny10, name):
    (tiny10 / name).unlink()
    with pytest.raises(DataError, match=rf"cifar-10-batches-bin/{name}: cannot be read \(No such file.* unpack the"):
        load_cifar(TINY10, tiny10, quiet=True)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"!", lambda content: b""])
def test_a_file_of_another_size_is_named(tiny10, change):
    path = tiny10 / "data_batch_2.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=r"data_batch_2\.bin: expected 24,584 bytes \(8 records of 3,073\), got"):
        load_cifar(TINY10, tiny10, quiet=True)


def test_a_label_out_of_range_is_named(tiny10):
    content = bytearray((tiny10 / "test_batch.bin").read_bytes())
    content[3 * 3073] = 10
    (tiny10 / "test_batch.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"test_batch\.bin: expected labels below 10, got 10 in record 3"):
        load_cifar(TINY10, tiny10, quiet=True)


def test_class_names_must_be_as_many_as_classes(tiny10):
    (tiny10 / "batches.meta.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=r"batches\.meta\.txt: expected 10 names, got 2"):
        load_cifar(TINY10, tiny10, quiet=True)


# ---- without a folder: download, unpack, cache -----------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """TINY10's archive as a finished download in an empty cache: (layout, cache folder). No server is asked."""
    cache = tmp_path / "cache"
    cache.mkdir()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in content_of(TINY10).items():
            header = tarfile.TarInfo(f"{TINY10.folder}/{name}")
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    packed_bytes = packed.getvalue()
    archive = Archive("tiny.tar.gz", len(packed_bytes), hashlib.sha256(packed_bytes).hexdigest(), urls=())
    (cache / archive.name).write_bytes(packed_bytes)
    monkeypatch.setenv("TINYRES_DATA", str(cache))
    monkeypatch.delenv("TINYRES_MIRRORS", raising=False)
    return dataclasses.replace(TINY10, archive=archive), cache


def test_the_archive_is_unpacked_into_the_cache_and_then_not_needed(cached, capsys):
    layout, cache = cached
    first, again = load_cifar(layout), load_cifar(layout)
    assert first[0].sha256() == again[0].sha256()
    assert [path.name for path in cache.iterdir()] == [layout.folder]
    assert (cache / layout.folder / RECEIPT).exists()
    assert capsys.readouterr().err == ""  # verified: no notice


@pytest.mark.parametrize("name", ["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"])
def test_a_file_that_changed_since_is_named(cached, name):
    layout, cache = cached
    load_cifar(layout)
    content = bytearray((cache / layout.folder / name).read_bytes())
    content[3] ^= 1
    (cache / layout.folder / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: has changed since it was downloaded"):
        load_cifar(layout)


def test_without_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRES_DATA", str(tmp_path))
    monkeypatch.delenv("TINYRES_MIRRORS", raising=False)
    unreachable = dataclasses.replace(CIFAR10.archive, urls=("http://127.0.0.1:9/cifar-10-binary.tar.gz",))
    with pytest.raises(
        DataError, match=rf"Run again to continue .* or fetch it by other means and put it into {tmp_path}"
    ):
        load_cifar(dataclasses.replace(CIFAR10, archive=unreachable))


# ---- fuzzed ----------------------------------------------------------------------------------------------------------


@pytest.mark.faults("data files: fuzzed")
def test_fuzzed_files_are_refused_or_read_as_what_they_are(tiny10, fault):
    """Without a receipt no changed pixel can be found; but there is a sound set or a DataError, and nothing else."""
    good = {path: path.read_bytes() for path in tiny10.iterdir()}
    refused = 0
    for number in range(300):
        draws = random.Random(number)
        path = draws.choice(sorted(good))
        content = bytearray(good[path])
        for _ in range(draws.randint(1, 3)):
            place = draws.randrange(len(content) + 1)
            change = draws.choice(["insert", "delete", "flip", "cut", "label", "receipt"])
            if change == "insert":
                content[place:place] = draws.randbytes(draws.choice([1, 3073, 100_000]))
            elif change == "delete":
                del content[place : place + draws.choice([1, 3073])]
            elif change == "flip" and place < len(content):
                content[place] ^= 1 << draws.randrange(8)
            elif change == "cut":
                del content[place:]
            elif change == "label" and content:
                content[place // 3073 * 3073 % len(content)] = draws.randrange(256)
            elif change == "receipt":
                (tiny10 / RECEIPT).write_bytes(
                    draws.choice([b"", b"{}", b"\xff", b"[1]", b"[" * 5000, b'{"files": {}}'])
                )
        path.write_bytes(content)
        with fault():
            try:
                train, test = load_cifar(TINY10, tiny10, quiet=True)
                assert (len(train), len(test), train.labels.max() < 10) == (20, 5, True)
            except DataError:
                refused += 1
        path.write_bytes(good[path])
        (tiny10 / RECEIPT).unlink(missing_ok=True)
    assert refused > 150
