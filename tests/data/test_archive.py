"""tinyres/data/archive.py with archives that are good, odd and hostile."""

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
import tracemalloc

import pytest

from tinyres.data import DataError
from tinyres.data.archive import RECEIPT, SMALL, read_receipt, unpack

SIZES = {"pixels.bin": 100_000, "names.txt": None}
PIXELS = bytes(range(250)) * 400


def file(name, content):
    """A tar member (header, content) that is a plain file."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header, content


def link(name, kind, target):
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, target
    return header, b""


GOOD = [file("set/pixels.bin", PIXELS), file("set/names.txt", b"cat\ndog\n")]


@pytest.fixture
def unpacked(tmp_path):
    """A function: packs the members into a .tar.gz, unpacks that into tmp_path/set and returns this folder."""

    def pack_and_unpack(members):
        path = tmp_path / "set.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for header, content in members:
                tar.addfile(header, io.BytesIO(content))
        unpack(path, "the archive's hash", tmp_path / "set", SIZES)
        return tmp_path / "set"

    return pack_and_unpack


def assert_nothing_is_left(tmp_path):
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz"]


def test_the_files_and_their_receipt(unpacked):
    folder = unpacked(GOOD)
    assert (folder / "pixels.bin").read_bytes() == PIXELS
    assert (folder / "names.txt").read_bytes() == b"cat\ndog\n"
    pixels, names = hashlib.sha256(PIXELS).hexdigest(), hashlib.sha256(b"cat\ndog\n").hexdigest()
    assert json.loads((folder / RECEIPT).read_text()) == {
        "archive": "set.tar.gz",
        "archive_sha256": "the archive's hash",
        "files": {
            "pixels.bin": {"sha256": pixels, "size": 100_000},
            "names.txt": {"sha256": names, "size": 8},
        },
    }
    assert read_receipt(folder) == {"pixels.bin": pixels, "names.txt": names}


def test_another_process_that_was_quicker_is_left_alone(unpacked, tmp_path):
    unpacked(GOOD)
    (tmp_path / "set" / "theirs").touch()
    unpacked(GOOD)
    assert (tmp_path / "set" / "theirs").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "set.tar.gz"]


@pytest.mark.faults("archive: hostile or unlike what was expected")
def test_other_members_are_passed_over(unpacked, tmp_path):
    others = [
        file("set/readme.html", b"hello"),
        file("set/../../escaped", b"bad"),
        file("/set/pixels.bin", b"bad"),
        file("other/pixels.bin", b"bad"),
        link("set/link", tarfile.SYMTYPE, "/etc/passwd"),
    ]
    folder = unpacked(others + GOOD)
    assert sorted(path.name for path in folder.iterdir()) == ["names.txt", "pixels.bin", RECEIPT]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "set.tar.gz"]


@pytest.mark.faults("archive: hostile or unlike what was expected")
@pytest.mark.parametrize(
    ("members", "message"),
    [
        (GOOD[:1], r"expected it to contain set/names\.txt"),
        ([link("set/pixels.bin", tarfile.SYMTYPE, "/etc/passwd"), GOOD[1]], "to be a plain file"),
        ([link("set/pixels.bin", tarfile.LNKTYPE, "set/names.txt"), GOOD[1]], "to be a plain file"),
        ([link("set/pixels.bin", tarfile.FIFOTYPE, ""), GOOD[1]], "to be a plain file"),
        ([file("set/pixels.bin", PIXELS[1:]), GOOD[1]], "to have 100,000 bytes, it has 99,999"),
        ([file("set/pixels.bin", PIXELS + b"!"), GOOD[1]], "to have 100,000 bytes, it has 100,001"),
        ([file("set/names.txt", bytes(SMALL + 1)), GOOD[0]], "to have at most 65,536 bytes, it has 65,537"),
        ([file("set/bomb", bytes(SMALL + 1)), *GOOD], "contains set/bomb of 65,537 bytes, unexpected"),
        ([GOOD[0], GOOD[0], GOOD[1]], "contains a file twice"),
        ([], "expected it to contain set/names.txt, set/pixels.bin"),
    ],
)
def test_an_archive_that_is_not_as_expected_leaves_nothing(unpacked, tmp_path, members, message):
    with pytest.raises(DataError, match=message):
        unpacked(members)
    assert_nothing_is_left(tmp_path)


@pytest.mark.faults("archive: hostile or unlike what was expected")
def test_a_huge_member_is_refused_by_its_header_alone(tmp_path):
    header = tarfile.TarInfo("set/pixels.bin")
    header.size = 1 << 40
    (tmp_path / "set.tar.gz").write_bytes(gzip.compress(header.tobuf()))
    with pytest.raises(DataError, match="it has 1,099,511,627,776"):
        unpack(tmp_path / "set.tar.gz", "hash", tmp_path / "set", SIZES)


def cut_short(content):
    return content[: len(content) // 2]


def something_else(content):
    return b"<html>Not an archive at all</html>"


@pytest.mark.faults("archive: damaged")
@pytest.mark.parametrize("damage", [cut_short, something_else])
def test_a_damaged_archive(unpacked, tmp_path, damage):
    unpacked(GOOD).rename(tmp_path / "elsewhere")
    path = tmp_path / "set.tar.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"set\.tar\.gz: cannot be unpacked .* delete it and run again"):
        unpack(path, "hash", tmp_path / "set", SIZES)
    assert not (tmp_path / "set").exists()


def test_no_receipt(tmp_path):
    assert read_receipt(tmp_path) is None


@pytest.mark.faults("data files: fuzzed")
@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": {"pixels.bin": 1}}'])
def test_a_spoilt_receipt(tmp_path, text):
    (tmp_path / RECEIPT).write_text(text)
    with pytest.raises(DataError, match=f"{RECEIPT}: is no receipt of tinyres's"):
        read_receipt(tmp_path)


@pytest.mark.faults("archive: hostile or unlike what was expected")
@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE], ids=["name", "pax", "all"]
)
def test_a_bomb_in_a_header_does_not_fill_the_memory(tmp_path, kind):
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 256 << 20  # a quarter of a gigabyte of zeros, in 260 kB
    with gzip.open(tmp_path / "set.tar.gz", "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        for _ in range(256):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="beyond all that it should hold"):
            unpack(tmp_path / "set.tar.gz", "hash", tmp_path / "set", SIZES)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
    assert_nothing_is_left(tmp_path)


@pytest.mark.faults("archive: damaged")
def test_a_byte_changed_anywhere_is_found(unpacked, tmp_path, fault):
    """gzip's checksum: in the archive's own header alone, in its time say, a byte does not matter."""
    draws = random.Random(0)
    unpacked([file("set/pixels.bin", draws.randbytes(100_000)), GOOD[1]]).rename(tmp_path / "good")
    path = tmp_path / "set.tar.gz"
    content = path.read_bytes()
    good = {each.name: each.read_bytes() for each in (tmp_path / "good").iterdir()}
    for _ in range(100):
        damaged = bytearray(content)
        damaged[draws.randrange(10, len(content))] ^= 1 << draws.randrange(8)
        path.write_bytes(damaged)
        with fault():
            try:
                unpack(path, "the archive's hash", tmp_path / "set", SIZES)
            except DataError:
                assert not (tmp_path / "set").exists()
            else:
                assert {each.name: each.read_bytes() for each in (tmp_path / "set").iterdir()} == good
                shutil.rmtree(tmp_path / "set")
