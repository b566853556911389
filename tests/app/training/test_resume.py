"""A run that is stopped anywhere and then resumed ends with the same bits as one that was not stopped."""

import signal

import pytest
from runs import BATCHES, outcome, quiet, run, settings, tiny_world  # noqa: F401

from tinyres import data
from tinyres.app.training import Interrupted, RunError, RunFolder, resume, train
from tinyres.app.training.interrupt import StopOnCtrlC
from tinyres.app.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("tiny_world")

EPOCHS = 2
CALLS = EPOCHS * (BATCHES + 1)  # how often should_stop() is asked: before each batch, those of the validation included


class StopAfter:
    """Returns True after this number of calls, counted over all runs of a test."""

    def __init__(self, calls):
        self.calls_left = calls

    def __call__(self):
        self.calls_left -= 1
        return self.calls_left < 0


def stop_after(calls, monkeypatch):
    """From now on, should_stop() is True after this number of calls."""
    should_stop = StopAfter(calls)
    monkeypatch.setattr(StopOnCtrlC, "__call__", lambda self: should_stop())


@pytest.mark.parametrize("calls", range(CALLS))
def test_stopped_anywhere(calls, monkeypatch, tmp_path):
    expected = outcome(run(tmp_path / "whole"))
    folder = RunFolder(tmp_path / "cut")
    stop_after(calls, monkeypatch)
    with pytest.raises(Interrupted, match=f"epoch {calls // (BATCHES + 1) + 1} of {EPOCHS}"):
        train(settings(), folder, quiet())
    assert folder.read_result() is None
    stop_after(1000, monkeypatch)
    resume(settings(), folder, quiet())
    assert outcome(folder) == expected


@pytest.mark.parametrize(
    "chosen",
    [
        {"schedule": "step", "label_smoothing": 0.1},
        {"precision": "float64", "schedule": "cosine", "momentum": 0.0},
        {"recipe": "paper", "epochs": 2},
        {"limit_batches": 2, "schedule": "constant"},
    ],
    ids=str,
)
def test_stopped_again_and_again(chosen, monkeypatch, tmp_path):
    expected = outcome(run(tmp_path / "whole", **chosen))
    folder, stops = RunFolder(tmp_path / "cut"), 0
    go = train
    while folder.read_result() is None:
        stop_after(1, monkeypatch)  # each time after a single batch
        try:
            go(settings(**chosen), folder, quiet())
        except Interrupted:
            stops += 1
        go = resume
    assert stops >= 4
    assert outcome(folder) == expected


@pytest.mark.parametrize("epoch", [1, 2])  # in the first epoch nothing has been saved before
def test_killed_after_the_line_was_written_and_before_the_checkpoint(epoch, monkeypatch, tmp_path):
    expected = outcome(run(tmp_path / "whole"))
    folder = RunFolder(tmp_path / "killed")
    save_last = Trainer.save_last

    def killed(trainer):
        if trainer.state.position.epoch == epoch:
            raise KeyboardInterrupt
        save_last(trainer)

    monkeypatch.setattr(Trainer, "save_last", killed)
    with pytest.raises(KeyboardInterrupt):
        train(settings(), folder, quiet())
    assert len(folder.read_metrics()) == epoch
    monkeypatch.setattr(Trainer, "save_last", save_last)
    resume(settings(), folder, quiet())
    assert outcome(folder) == expected


def test_killed_before_anything_was_saved(tmp_path):
    expected = outcome(run(tmp_path / "whole"))
    folder = run(tmp_path / "killed")
    for path in (folder.last, folder.previous, folder.best, folder.metrics, folder.result):
        path.unlink()
    resume(settings(), folder, quiet())
    assert outcome(folder) == expected


def test_a_finished_run_is_left_as_it_is(tmp_path):
    folder = run(tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    assert resume(settings(), folder, quiet()) == folder.read_result()
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_other_pictures_are_refused(monkeypatch, tmp_path):
    folder = run(tmp_path / "run")
    folder.result.unlink()
    other = data.load("shapes")[0].take(range(79))
    monkeypatch.setattr(data, "load", lambda *arguments, **settings: (other, other))
    with pytest.raises(RunError, match="not those it began with"):
        resume(settings(), folder, quiet())


def test_another_model_s_checkpoint_is_refused(tmp_path):
    folder = run(tmp_path / "run")
    other = run(tmp_path / "other", model="resnet8", limit_batches=1, batch_size=4, epochs=1)
    folder.result.unlink()
    folder.last.write_bytes(other.last.read_bytes())
    with pytest.raises(RunError, match=r"last\.safetensors: holds a resnet8, but the run trains a tiny"):
        resume(settings(), folder, quiet())


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


def test_ctrl_c_asks_and_a_second_one_insists():
    before = signal.getsignal(signal.SIGINT)
    with StopOnCtrlC() as should_stop:
        assert not should_stop()
        signal.raise_signal(signal.SIGINT)
        assert should_stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
