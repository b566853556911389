"""What a run shows while it trains."""

import io
import re

import pytest
from rich.console import Console
from runs import settings, tiny_world  # noqa: F401

from tinyres.app.training import RunFolder, train
from tinyres.app.training.progress import Progress, clock
from tinyres.train import Score

pytestmark = pytest.mark.usefixtures("tiny_world")


def shown(tmp_path, **console):
    """What a run of two epochs prints on such a console."""
    file = io.StringIO()
    train(settings(), RunFolder(tmp_path / "run"), Console(file=file, **console))
    return file.getvalue()


def test_off_a_terminal_there_is_a_plain_line_for_every_epoch(tmp_path):
    text = shown(tmp_path)
    assert "\x1b" not in text and "\r" not in text
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines if str(tmp_path) not in line)
    assert [line[:3] for line in lines[-2:]] == ["1/2", "2/2"]
    row = r"1/2 +\d\.\d{4} +\d+\.\d\d% +\d\.\d{4} +\d+\.\d\d% \* +[\d,]+ +\d:\d\d"
    assert re.fullmatch(row, lines[-2].rstrip())
    assert "tiny on shapes: 72 images to learn from, 8 for validation" in text


def test_quiet(tmp_path):
    assert shown(tmp_path, quiet=True) == ""


def bar(monkeypatch, **console):
    """The progress bar in the middle of an epoch, and all characters that were printed for it."""
    file = io.StringIO()
    with Progress(Console(file=file, force_terminal=True, width=80, **console)) as progress:
        progress.run_begins(epochs=10, steps=710)
        progress.epoch_begins(3, steps=71, done=0)
        progress.batches_done(2, Score(loss_sum=1.25 * 128, correct=64, images=128), seconds=0.1)
        assert progress.bar.tasks[progress.task].completed == progress.steps_done == 2
        progress.bar.refresh()
    text = file.getvalue()
    return re.findall(r"epoch 4/10[^\r\n]*", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text))[-1], text


def test_on_a_terminal_a_bar_has_all_there_is_to_know(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    line, text = bar(monkeypatch, color_system="standard")
    assert re.search(r"loss  1\.250 +50\.0% +1,280 img/s +\d+:\d\d left", line)
    assert len(line) <= 80
    assert re.search(r"\x1b\[[39]\dm", text)  # in colour


def test_no_color(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, text = bar(monkeypatch)
    assert not re.search(r"\x1b\[[39]\dm", text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (65, "1:05"), (3599.7, "1:00:00"), (36_605, "10:10:05")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
