"""Several seeds make ordinary runs, and a mean over them."""

import json
from statistics import mean, stdev

import pytest
from runs import outcome, quiet, run, settings, tiny_world  # noqa: F401

from tinyres.app.training import Interrupted, RunError, RunFolder, resume_seeds, train_seeds
from tinyres.app.training.seeds import plan_file, read_plan
from tinyres.app.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("tiny_world")


def test_three_seeds(tmp_path):
    folder = RunFolder(tmp_path / "three")
    result = train_seeds(settings(seed=4), 3, folder, quiet())
    each = [json.loads((folder.path / f"seed-{seed}" / "result.json").read_text()) for seed in (4, 5, 6)]
    accuracies = [one["test_accuracy"] for one in each]
    assert result == folder.read_result()
    assert (result["seeds"], result["test_accuracies"]) == ([4, 5, 6], accuracies)
    assert (result["test_accuracy"], result["test_accuracy_std"]) == (mean(accuracies), stdev(accuracies))
    assert outcome(RunFolder(folder.path / "seed-5")) == outcome(run(tmp_path / "alone", seed=5))


def test_stopped_in_the_second_and_resumed(tmp_path, monkeypatch):
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    expected = train_seeds(settings(), 3, whole, quiet())
    validate = Trainer.validate

    def stop(trainer):
        if trainer.settings.seed == 1:
            raise Interrupted("stopped")
        return validate(trainer)

    monkeypatch.setattr(Trainer, "validate", stop)
    with pytest.raises(Interrupted):
        train_seeds(settings(), 3, cut, quiet())
    monkeypatch.setattr(Trainer, "validate", validate)
    finished = (cut.path / "seed-0" / "result.json").read_bytes()
    assert read_plan(cut) == (settings(), 3)
    assert resume_seeds(*read_plan(cut), cut, quiet()) == expected
    assert (cut.path / "seed-0" / "result.json").read_bytes() == finished


def test_a_taken_folder_and_a_damaged_plan(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="expected a new or an empty folder"):
        train_seeds(settings(), 2, RunFolder(tmp_path), quiet())
    folder = RunFolder(tmp_path)
    plan_file(folder).write_text("{")
    with pytest.raises(RunError, match=r"seeds\.json: damaged"):
        read_plan(folder)
