"""What the folders of runs show: finished, running, stopped and damaged ones, and those of --seeds."""

import shutil
from pathlib import Path
from statistics import mean, median

import pytest
from runs import BATCHES, quiet, run, settings, tiny_world  # noqa: F401

from tinyres.app.training import Interrupted, RunError, RunFolder, resume, train, train_seeds
from tinyres.app.training.interrupt import StopOnCtrlC
from tinyres.app.training.lock import locked
from tinyres.app.training.overview import is_lab, overviews

pytestmark = pytest.mark.usefixtures("tiny_world")


def only(path):
    (one,) = overviews([Path(path)])
    return one


@pytest.fixture
def stopped(monkeypatch):
    """A run of three epochs, stopped in its third."""
    calls = iter(range(1000))
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(StopOnCtrlC, "__call__", lambda self: next(calls) >= 2 * (BATCHES + 1) + 1)
        train(settings(epochs=3), RunFolder("stopped"), quiet())
    return RunFolder("stopped")


def test_a_finished_run():
    folder = run("run", seed=3)
    one, result, metrics = only("run"), folder.read_result(), folder.read_metrics()
    assert (one.name, one.state, one.problems) == ("run", "finished", ())
    assert (one.model, one.data, one.recipe, one.seed) == ("tiny", "shapes", "fast", 3)
    assert (one.epochs, one.of, one.runs) == (2, 2, None)
    assert one.validation_error == 1 - result["validation_accuracy"]  # the lowest, as in result.json
    assert one.test_error == 1 - result["test_accuracy"]
    assert one.images_per_second == median(line["images_per_second"] for line in metrics)
    assert one.seconds == pytest.approx(result["seconds"])
    assert list(one.metrics) == metrics


def test_a_stopped_run(stopped):
    one = only("stopped")
    assert (one.state, one.epochs, one.of, one.test_error) == ("stopped", 2, 3, None)
    with locked(stopped.path):
        assert only("stopped").state == "running"
    resume(settings(epochs=3), stopped, quiet())
    assert only("stopped").state == "finished"


def test_a_run_that_has_only_begun():
    RunFolder("run").create(settings(), "0" * 64, threads=1)
    one = only("run")
    assert (one.state, one.epochs, one.of, one.validation_error, one.seconds) == ("stopped", 0, 2, None, 0)


def test_damage_within_the_first_epoch():
    folder = RunFolder("run")
    folder.create(settings(), "0" * 64, threads=1)
    folder.last.write_bytes(b"no checkpoint")
    assert only("run").state == "damaged"
    with locked(folder.path):  # it may be half written
        assert only("run").state == "running"


def test_epochs_of_a_run_that_counts_steps():
    RunFolder("new").create(settings(recipe="paper", epochs=None, steps=7), "0" * 64, threads=1)
    assert only("new").of is None
    run("run", epochs=None, steps=2 * BATCHES + 1)
    RunFolder("run").result.unlink()
    assert only("run").of == 3


@pytest.mark.parametrize(
    "name", ["config.json", "metrics.jsonl", "result.json", "best.safetensors", "last.safetensors"]
)
def test_damage_is_a_state_and_says_what(name):
    run("run")
    path = Path("run", name)
    path.write_bytes(path.read_bytes()[:-20])
    one = only("run")
    assert one.state == "damaged"
    (problem,) = one.problems
    assert problem.startswith(f"{path}: damaged")
    assert (one.model is None) == (name == "config.json")
    if name == "best.safetensors":
        path.unlink()
        assert only("run").state == "damaged" and "no such checkpoint" in only("run").problems[0]


def test_killed_between_the_two_renames(stopped):
    stopped.last.replace(stopped.previous)
    assert only("stopped").state == "stopped"
    stopped.previous.unlink()
    assert only("stopped").state == "damaged"


def test_seeds_come_with_their_mean_and_their_runs():
    result = train_seeds(settings(epochs=1, seed=4), 2, RunFolder("two"), quiet())
    both, *runs = overviews([Path("two")])
    assert [one.name for one in runs] == [str(Path("two", "seed-4")), str(Path("two", "seed-5"))]
    assert (both.state, both.seed, both.runs, both.epochs, both.of) == ("finished", 4, 2, 2, 2)
    assert (both.test_error, both.test_error_std) == (1 - result["test_accuracy"], result["test_accuracy_std"])
    assert both.validation_error == mean(one.validation_error for one in runs)
    shutil.rmtree(Path("two", "seed-5"))
    Path("two", "result.json").unlink()
    both, *runs = overviews([Path("two")])
    assert (both.state, both.epochs, both.of, len(runs)) == ("stopped", 1, 2, 1)
    Path("two", "seeds.json").write_text("{")
    assert overviews([Path("two")])[0].state == "damaged"


def test_folders_with_runs_in_them_and_other_things():
    run(Path("runs", "b"))
    shutil.copytree(Path("runs", "b"), Path("runs", "a"))
    Path("runs", "lab", "parts").mkdir(parents=True)
    Path("runs", "lab", "settings.json").write_text("{}")
    Path("runs", "notes.txt").write_text("mine")
    assert [one.name for one in overviews([Path("runs")])] == [str(Path("runs", "a")), str(Path("runs", "b"))]
    assert is_lab(Path("runs", "lab")) and not is_lab(Path("runs", "a"))
    assert overviews([Path("runs", "lab")]) == []
    with pytest.raises(RunError, match="nowhere: no such folder"):
        overviews([Path("nowhere")])


def test_nothing_is_written():
    run("run")
    before = {path: path.stat().st_mtime_ns for path in Path("run").iterdir()}
    only("run")
    assert {path: path.stat().st_mtime_ns for path in Path("run").iterdir()} == before
