"""Every damage to a checkpoint is found. Nonsense with a correct digest gives an error and does no harm."""

import json
import os
import random
import tracemalloc

import numpy as np
import pytest
from runs import outcome, quiet, run, settings, tiny_world  # noqa: F401
from safetensors import safe_open

from tinyres.app.training import RunError, resume
from tinyres.app.training import checkpoint as checkpoints
from tinyres.app.training.checkpoint import LENGTH, UNSEALED, Checkpoint, fingerprint, load, save, seal_of
from tinyres.app.training.errors import Damaged

BIT_FLIPS = 1000


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "file"
    draws = np.random.default_rng(0)
    weights = {"weight": draws.standard_normal((16, 9), np.float32), "count": np.array(17), "none": np.zeros((0, 3))}
    about = {"model": "tiny", "classes": ["a", "ü"], "mean": [0.1, 1 / 3], "epoch": 3, "sha": '"sha256":"' + "0" * 64}
    save(Checkpoint(weights, {"0.momentum": draws.standard_normal((16, 9))}, about), path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def sealed(header, body=b""):
    """A file with this header, a JSON text with UNSEALED in it, and with a correct digest: a deliberate forgery."""
    content = memoryview(len(header).to_bytes(LENGTH, "little") + header + body)
    place = seal_of(content)
    return b"".join([content[: place.start], fingerprint(content, place), content[place.stop :]])


def parts_of(content):
    """The header as a dict, with UNSEALED for its digest; and the bytes after it."""
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    header = json.loads(content[LENGTH:end])
    header["__metadata__"]["sha256"] = UNSEALED.decode()
    return header, content[end:]


def to_json(header):
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.faults("checkpoint: a bit flipped")
def test_every_bit_flip_is_found(content, path, fault):
    load_bytes(content, path)
    bits = list(range(8 * LENGTH + 8 * 40))  # all bits of the length and of the header's beginning
    bits += random.Random(0).sample(range(len(bits), 8 * len(content)), BIT_FLIPS - len(bits))
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        with fault(), pytest.raises(RunError, match="file: "):
            load_bytes(damaged, path)


@pytest.mark.faults("checkpoint: truncated")
def test_truncated_at_every_byte(content, path, fault):
    for length in range(len(content)):
        with fault(), pytest.raises(Damaged):
            load_bytes(content[:length], path)


@pytest.mark.faults("checkpoint: bytes after the end")
@pytest.mark.parametrize("more", [b"\0", b" ", b"\0" * 4096], ids=len)
def test_bytes_after_the_end(content, path, more):
    with pytest.raises(Damaged):
        load_bytes(content + more, path)


@pytest.mark.faults("checkpoint: a huge header announced")
def test_a_huge_header_is_not_allocated(content, path, fault):
    for announced in (len(content), 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
        path.write_bytes(announced.to_bytes(LENGTH, "little") + content[LENGTH:])
        tracemalloc.start()
        with fault():
            with pytest.raises(Damaged, match="expected a header within the"):
                load(path)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


NONSENSE = [None, True, -1, 1 << 80, 1e300, "", "[", "{", '"', "NaN", "[" * 5000, "a" * 70, [], {}, [[]], [-1, 1 << 62]]


def nonsense(header, draws):
    """The header with one to three random changes anywhere in it."""
    header = json.loads(json.dumps(header))
    for _ in range(draws.randint(1, 3)):
        inside = header
        while True:
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            if not keys:
                break
            key = draws.choice(keys)
            if isinstance(inside[key], (dict, list)) and inside[key] and draws.random() < 0.8:
                inside = inside[key]
            elif key != "sha256":
                kind = draws.random()
                if kind < 0.2:
                    del inside[key]
                elif kind < 0.4 and isinstance(inside, dict):
                    inside[draws.choice(["", "weight", "optimizer/x", "dtype", "shape"])] = inside.pop(key)
                else:
                    inside[key] = draws.choice(NONSENSE)
                break
            else:
                break
    return header


@pytest.mark.faults("checkpoint: nonsense under a right digest")
def test_nonsense_in_a_header_ends_in_a_run_error(content, path, fault):
    header, body = parts_of(content)
    refused = 0
    for number in range(500):
        with fault():
            try:
                load_bytes(sealed(to_json(nonsense(header, random.Random(number))), body), path)
            except RunError:
                refused += 1
            except ValueError as error:  # raised by sealed: there is no place for the digest any more
                assert "expected one SHA-256" in str(error)
    assert refused > 250


@pytest.mark.faults("checkpoint: nonsense under a right digest")
def test_a_run_that_is_to_go_on_from_nonsense(tiny_world, tmp_path, fault):  # noqa: F811
    folder = run(tmp_path / "run")
    folder.result.unlink()
    header, body = parts_of(folder.last.read_bytes())
    others = {path: path.read_bytes() for path in (folder.best, folder.previous, folder.metrics)}
    for entry in ("position", "model"):
        for value in ("null", "{}", "[]", "3", '"x"'):
            header["__metadata__"][entry], kept = value, header["__metadata__"][entry]
            folder.last.write_bytes(sealed(to_json(header), body))
            header["__metadata__"][entry] = kept
            with fault():
                with pytest.raises(RunError, match=r"last\.safetensors: "):
                    resume(settings(), folder, quiet())
                assert {path: path.read_bytes() for path in others} == others
    position = json.loads(header["__metadata__"]["position"])
    for name in position:
        for value in (-1, "x", None, 1e400, 10**9):
            if (name, value) in (("seconds", -1), ("seconds", 10**9), ("best_epoch", 10**9), ("best_accuracy", -1)):
                continue  # possible, if odd
            if (name, value) == ("best_accuracy", 10**9):
                continue
            header["__metadata__"]["position"] = json.dumps({**position, name: value})
            folder.last.write_bytes(sealed(to_json(header), body))
            with fault(), pytest.raises(RunError, match=r"last\.safetensors: "):
                resume(settings(), folder, quiet())


@pytest.mark.faults("checkpoint: nonsense under a right digest")
def test_the_best_weights_say_nonsense(tiny_world, tmp_path, fault):  # noqa: F811
    folder = run(tmp_path / "run")
    folder.result.unlink()
    header, body = parts_of(folder.best.read_bytes())
    for entry in ("model", "mean", "std", "epoch"):
        for value in ("null", "{}", "[1]", "-3", '"x"', "99999999"):
            metadata = {**header["__metadata__"], entry: value}
            folder.best.write_bytes(sealed(to_json({**header, "__metadata__": metadata}), body))
            with fault(), pytest.raises(RunError, match=r"best\.safetensors: "):
                resume(settings(), folder, quiet())


def test_other_readers_read_it(content, path):
    path.write_bytes(content)
    with safe_open(path, framework="np") as file:
        assert len(file.metadata()["sha256"]) == 64
        assert file.get_tensor("count") == 17


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_mode_follows_the_umask(path, umask):
    before = os.umask(umask)
    try:
        save(Checkpoint({"weight": np.zeros(3)}), path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


# ---- the checkpoint before -------------------------------------------------------------------------------------------


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.faults("run: its last checkpoint damaged or gone")
@pytest.mark.parametrize("spoil", [damage, os.remove, lambda path: path.write_bytes(b"")], ids=["bit", "gone", "empty"])
def test_the_one_before_is_gone_on_from(tiny_world, tmp_path, capsys, spoil):  # noqa: F811
    expected = outcome(run(tmp_path / "whole", epochs=3))
    folder = run(tmp_path / "run", epochs=3)
    folder.result.unlink()
    spoil(folder.last)
    resume(settings(epochs=3), folder)
    said = capsys.readouterr().out
    assert f"going on from {folder.previous}, the checkpoint before" in said
    assert ("it is now called damaged.safetensors" in said) == folder.damaged.exists()
    assert "\n3/3" in said and "\n2/3" not in said  # the third epoch is repeated, and its line is there once
    assert outcome(folder) == expected


@pytest.mark.faults("run: both checkpoints damaged")
def test_both_are_damaged(tiny_world, tmp_path):  # noqa: F811
    folder = run(tmp_path / "run")
    folder.result.unlink()
    best = folder.best.read_bytes()
    damage(folder.last)
    damage(folder.previous)
    for _ in range(2):
        with pytest.raises(RunError, match="damaged"):
            resume(settings(), folder, quiet())
    assert folder.best.read_bytes() == best


def test_a_damaged_one_never_takes_the_place_of_the_good_one_before(tiny_world, tmp_path, monkeypatch):  # noqa: F811
    folder = run(tmp_path / "run", epochs=3)
    folder.result.unlink()
    damage(folder.last)
    monkeypatch.setattr(checkpoints, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        resume(settings(epochs=3), folder, quiet())
    assert load(folder.previous).about["epoch"] == 2


def killed(*arguments, **settings):
    raise KeyboardInterrupt


def load_bytes(content, path):
    path.write_bytes(content)
    return load(path)
