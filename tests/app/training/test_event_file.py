"""--tensorboard: the event file has the figures of metrics.jsonl, each epoch once, whatever happened to the run."""

import errno
import json
import re
import struct
import sys
from pathlib import Path

import pytest
from runs import BATCHES, outcome, quiet, run, settings, tiny_world  # noqa: F401

from tinyres.app.cli import main
from tinyres.app.training import Interrupted, RunError, RunFolder, resume, train
from tinyres.app.training.event_file import NAME, SCALARS, EventFile
from tinyres.app.training.interrupt import StopOnCtrlC

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason="needs tensorboardX")
record_writer = pytest.importorskip("tensorboardX.record_writer", reason="needs tensorboardX")

pytestmark = pytest.mark.usefixtures("tiny_world")

EPOCHS = 4


def records(content):
    """The records of a TFRecord file: length (8 bytes), its checksum (4), the record, its checksum (4)."""
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        record = content[12 : 12 + length]
        sums = struct.unpack("<I", content[8:12]) + struct.unpack("<I", content[12 + length : 16 + length])
        assert sums == (record_writer.masked_crc32c(content[:8]), record_writer.masked_crc32c(record))
        yield record
        content = content[16 + length :]


def events(folder):
    """The records of the only event file there."""
    (path,) = folder.path.glob(f"{NAME}*")
    return [event_pb2.Event.FromString(record) for record in records(path.read_bytes())]


def scalars(folder):
    """[(epoch, {tag: value})], in the file's order."""
    return [
        (event.step, {value.tag: value.simple_value for value in event.summary.value})
        for event in events(folder)
        if event.HasField("summary")
    ]


def expected(folder):
    return [(line["epoch"], {tag: line[name] for tag, name in SCALARS.items()}) for line in folder.read_metrics()]


def check(folder, epochs=EPOCHS):
    """The file has all figures of metrics.jsonl once, in order, as float32; and the times increase."""
    found, wanted = scalars(folder), expected(folder)
    assert [epoch for epoch, _ in found] == [epoch for epoch, _ in wanted] == list(range(1, epochs + 1))
    for (_, values), (_, right) in zip(found, wanted, strict=True):
        assert values == pytest.approx(right, rel=1e-6)
    times = [event.wall_time for event in events(folder)[1:]]
    assert times == sorted(times)


def stopped_after(batches, folder, monkeypatch, go=train, **chosen):
    calls = iter(range(10**6))
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(StopOnCtrlC, "__call__", lambda self: next(calls) >= batches)
        go(settings(epochs=EPOCHS, tensorboard=True, **chosen), folder, quiet())


def test_a_run_writes_what_its_metrics_say():
    folder = run("run", epochs=EPOCHS, tensorboard=True)
    check(folder)
    first, second = events(folder)[:2]
    assert first.file_version == "brain.Event:2"  # by which TensorBoard recognises the file
    assert second.session_log.status == 1  # START: TensorBoard forgets the older files


def test_nothing_is_written_unless_it_is_asked_for():
    assert list(run("run").path.glob(f"{NAME}*")) == []


def test_nothing_else_changes():
    assert outcome(run("with", tensorboard=True)) == outcome(run("without"))


ASKED = BATCHES + 1  # how often should_stop() is asked in an epoch: before each batch, those of the validation included


@pytest.mark.parametrize("batches", [0, 1, 2 * ASKED, 3 * ASKED + 1])
def test_a_resumed_run_has_each_epoch_once(batches, monkeypatch):
    folder = RunFolder("run")
    stopped_after(batches, folder, monkeypatch)
    stopped_after(1, folder, monkeypatch, go=resume)
    resume(folder.read_config()["settings"], folder, quiet())
    check(folder)


def test_a_file_cut_by_a_crash_and_an_epoch_too_many(monkeypatch):
    """Killed after the line of an epoch was written but before its weights were, and in the middle of a record."""
    folder = RunFolder("run")
    stopped_after(2 * ASKED, folder, monkeypatch)
    folder.add_metrics({**folder.read_metrics()[-1], "epoch": 3})
    (path,) = folder.path.glob(f"{NAME}*")
    path.write_bytes(path.read_bytes()[:-5])
    resume(folder.read_config()["settings"], folder, quiet())
    check(folder)


def test_the_choice_is_kept_and_can_be_made_later(capsys):
    assert main(["train", "--model", "tiny", "--epochs", "1", "--seeds", "2", "--tensorboard", "--out", "two"]) == 0
    for name in ("seed-0", "seed-1"):
        check(RunFolder(Path("two", name)), epochs=1)
        assert RunFolder(Path("two", name)).read_config()["settings"].tensorboard


def test_resuming_with_it_begins_with_the_first_epoch(monkeypatch):
    calls = iter(range(10**6))
    arguments = ["--model", "tiny", "--batch-size", "24", "--epochs", str(EPOCHS), "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(StopOnCtrlC, "__call__", lambda self: next(calls) >= 2 * ASKED)
        assert main(["train", *arguments, "--out", "run"]) == 130
    assert main(["train", "--resume", "run", "--tensorboard"]) == 0
    check(RunFolder("run"))


def test_an_older_runs_folder_has_no_such_setting():
    folder = run("run")
    config = json.loads(folder.config.read_text())
    del config["settings"]["tensorboard"]
    folder.config.write_text(json.dumps(config))
    assert folder.read_config()["settings"].tensorboard is False


def test_without_tensorboardx_nothing_begins(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert main(["train", "--model", "tiny", "--tensorboard", "--out", "run"]) == 1
    message = 'tinyres: --tensorboard needs tensorboardX: pip install "tinyres[tensorboard]"\n'
    assert capsys.readouterr().err == message
    assert not Path("run").exists()
    with pytest.raises(RunError, match="needs tensorboardX"):
        EventFile(Path("."), [])


@pytest.mark.faults("disk full: the event file")
def test_a_full_disk_ends_the_run_and_loses_nothing(monkeypatch, capsys, fault):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    arguments = ["--model", "tiny", "--batch-size", "24", "--epochs", "2", "--quiet"]
    with fault():
        with monkeypatch.context() as patch:
            patch.setattr("tinyres.app.training.event_file.append", full)
            assert main(["train", *arguments, "--tensorboard", "--out", "run"]) == 1
        assert re.search(r"^tinyres: .*No space left on device: 'run.events", capsys.readouterr().err)
        assert main(["train", "--resume", "run", "--quiet"]) == 0
        check(RunFolder("run"), epochs=2)
    assert outcome(RunFolder("run")) == outcome(run("whole"))
