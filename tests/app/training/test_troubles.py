"""A full disk, a read-only folder, NaN gradients, a failing loader, signals: a clear message, and nothing is lost."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from doomed import CAN_FORK, STOPPED, begin, end
from runs import BATCHES, outcome, run, tiny_world  # noqa: F401

from tinyres import train
from tinyres.app.cli import main
from tinyres.app.training import RunFolder, checkpoint, trainer
from tinyres.app.training.trainer import Trainer
from tinyres.data import Loader

pytestmark = pytest.mark.usefixtures("tiny_world")
TRAIN = ("train", "--model", "tiny", "--batch-size", "24", "--epochs", "2", "--quiet")


@pytest.fixture
def whole(tiny_world, tmp_path):  # noqa: F811
    """The outcome of an undisturbed run."""
    return outcome(run(tmp_path / "whole"))


def fails(capsys, *arguments):
    """The message on stderr. It is one of ours without a traceback, and the exit code is 1."""
    assert main([str(argument) for argument in arguments]) == 1
    err = capsys.readouterr().err
    assert err.startswith("tinyres: ") and "Traceback" not in err
    return err


def goes_on_to_the_end(folder, expected):
    go = ["train", "--quiet", "--resume"] if RunFolder(folder).config.exists() else [*TRAIN, "--out"]
    assert main([*go, str(folder)]) == 0
    assert outcome(RunFolder(folder)) == expected


# ---- the disk --------------------------------------------------------------------------------------------------------


@contextmanager
def full_disk(monkeypatch, after):
    """After this number of writes there is room for half a write, and then for none."""
    write, left = os.write, [after]

    def limited(descriptor, content):
        left[0] -= 1
        if left[0] >= 0:
            return write(descriptor, content)
        if left[0] == -1 and len(content) > 1:
            return write(descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        yield patch


def newest_step(folder):
    """The step of the newest good checkpoint; None if there is none."""
    files = [path for path in (folder.last, folder.previous) if path.exists()]
    return checkpoint.load(files[0]).about["step"] if files else None


@pytest.mark.faults("disk full, at every write")
def test_disk_full(whole, monkeypatch, capsys, fault):
    writes = []
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *arguments: writes.append(1) or write(*arguments))
        assert main([*TRAIN, "--out", "counted"]) == 0
    assert len(writes) > 10
    save_last = Trainer.save_last
    for after in range(1, len(writes)):  # the first write is the process's number in the lock, which may fail
        saved = []
        with fault():
            with full_disk(monkeypatch, after) as patch:
                patch.setattr(
                    Trainer, "save_last", lambda self, saved=saved: save_last(self) or saved.append(self.state.step)
                )
                assert "No space left on device" in (said := fails(capsys, *TRAIN, "--out", f"full-{after}"))
            assert f"full-{after}/" in said
            assert newest_step(RunFolder(f"full-{after}")) == (saved[-1] if saved else None)
            goes_on_to_the_end(Path(f"full-{after}"), whole)


@pytest.mark.faults("disk full: a file system of 20 kB")
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_disk_that_is_really_full(whole, tmp_path, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        assert "No space left on device" in fails(capsys, *TRAIN, "--out", disk / "run")
        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        goes_on_to_the_end(disk / "run", whole)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.faults("disk full: /dev/full")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full")
def test_dev_full(whole, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "announce", lambda self: self.folder.metrics.symlink_to("/dev/full") or self.begin())
        patch.setattr(Trainer, "begin", lambda self: self.progress.run_begins(2, 6), raising=False)
        assert "No space left on device: 'run/metrics.jsonl'" in fails(capsys, *TRAIN, "--out", "run")
    Path("run/metrics.jsonl").unlink()
    goes_on_to_the_end(Path("run"), whole)


@contextmanager
def read_only(folder):
    """Inside, nobody may write there: root becomes another user meanwhile."""
    before = folder.stat().st_mode
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(before)


@pytest.mark.faults("read-only folder")
@pytest.mark.skipif(os.name == "nt", reason="other rights")
def test_read_only(whole, tmp_path, capsys, fault):
    tmp_path.chmod(0o755)
    place = Path("place")
    place.mkdir()
    with fault(), read_only(place):
        assert "Permission denied: 'place/run'" in fails(capsys, *TRAIN, "--out", place / "run")
    folder = run(place / "run")
    folder.result.unlink()
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    (folder.path / ".lock").chmod(0o444)
    with fault():
        with read_only(folder.path):
            assert "place/run: cannot be written to (Permission denied)" in fails(capsys, "train", "--resume", folder)
        assert {path: path.read_bytes() for path in folder.path.iterdir()} == before
        (folder.path / ".lock").chmod(0o644)
        goes_on_to_the_end(folder.path, whole)


@pytest.mark.faults("a run's own files: fuzzed")
def test_fuzzed_config_metrics_and_result(capsys, tmp_path, fault):
    """A changed byte, a missing piece or nonsense is refused, or makes no difference to the program."""
    folder = run(tmp_path / "run")
    good = {path: path.read_bytes() for path in (folder.config, folder.metrics, folder.result)}
    nonsense = [b"", b"null", b"[1]", b"\xff", b"[" * 5000, b'{"format_version": 1, "settings": {"epochs": "x"}}']
    refused = 0
    for number in range(120):
        draws = random.Random(number)
        path = draws.choice(list(good))
        content = bytearray(good[path])
        place = draws.randrange(len(content))
        if draws.random() < 0.3:
            content = draws.choice(nonsense)
        elif draws.random() < 0.5:
            del content[place : place + draws.choice([1, 10, 1000])]
        else:
            content[place] ^= 1 << draws.randrange(8)
        path.write_bytes(content)
        if path != folder.result:
            folder.result.unlink()
        weights = folder.last.read_bytes()
        with fault():
            try:
                code = main(["train", "--quiet", "--resume", str(folder)])
            except SystemExit as stop:
                code = stop.code
            assert code in (0, 1, 2)
            refused += code != 0
            assert code == 0 or "tinyres" in capsys.readouterr().err
            assert folder.last.read_bytes() == weights or code == 0
        for path, before in good.items():
            path.write_bytes(before)
    assert refused > 40


# ---- the computation -------------------------------------------------------------------------------------------------


@pytest.mark.faults("a gradient is NaN or Inf")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_gradient(whole, monkeypatch, capsys, value, fault):
    is_finite = train.is_finite
    for bad_step in range(6):
        steps = []

        def sometimes(model, loss, bad_step=bad_step, steps=steps):
            steps.append(1)
            if len(steps) > bad_step:
                next(iter(model.parameters())).grad[0, 0, 0, 0] = value
            return is_finite(model, loss)

        with fault():
            with monkeypatch.context() as patch:
                patch.setattr(train, "is_finite", sometimes)
                patch.setattr(trainer, "SAVE_EVERY", 0.0)
                assert "training diverged" in fails(capsys, *TRAIN, "--out", f"run-{bad_step}")
            goes_on_to_the_end(Path(f"run-{bad_step}"), whole)


@pytest.mark.faults("the loader's thread dies")
@pytest.mark.parametrize("error", [RuntimeError("planted"), MemoryError(), SystemExit(3), OSError(5, "Input/output")])
def test_the_loader_dies(whole, monkeypatch, capsys, error, fault):
    batch = Loader._batch
    for bad in ((0, 0), (0, 2), (1, 1)):

        def sometimes(self, order, epoch, step, bad=bad):
            if (epoch, step) == bad and self.augment:
                raise error
            return batch(self, order, epoch, step)

        with fault():
            with monkeypatch.context() as patch:
                patch.setattr(Loader, "_batch", sometimes)
                said = fails(capsys, *TRAIN, "--out", "run-{}-{}".format(*bad))
            assert f"epoch {bad[0] + 1}, after {bad[1]} of its batches: the next batch could not be prepared" in said
            assert newest_step(RunFolder("run-{}-{}".format(*bad))) == BATCHES * bad[0] + bad[1]  # nothing is lost
            goes_on_to_the_end(Path("run-{}-{}".format(*bad)), whole)


# ---- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.faults("Ctrl-C or SIGTERM at a random moment")
@pytest.mark.skipif(not CAN_FORK, reason="processes are forked from a server, which this system does not have")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_first(tmp_path, number, fault):
    assert end(begin(tmp_path / "whole")) == 0
    whole = outcome(RunFolder(tmp_path / "whole"))
    draws = random.Random(int(number))
    for turn in range(3):
        folder = RunFolder(tmp_path / f"run-{turn}")
        with fault():
            process = begin(folder.path, slowly=0.1, save_every=600.0)
            while not folder.config.exists():
                time.sleep(0.01)
            time.sleep(0.1 + draws.uniform(0, 0.3))
            os.kill(process.pid, number)
            assert end(process) == STOPPED
            assert folder.last.exists()
            assert end(begin(folder.path)) == 0
            assert outcome(folder) == whole
