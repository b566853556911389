"""A run's folder: its files, and the errors when something is wrong with it."""

import json
import platform

import numpy as np
import pytest
from runs import few_shapes, quiet, run, settings, tiny_world  # noqa: F401

import tinyres
from tinyres.app.training import RunError, RunFolder
from tinyres.app.training.run import default_folder, evaluate_run, resume
from tinyres.app.training.run_folder import METRICS

pytestmark = pytest.mark.usefixtures("tiny_world")


def test_what_lies_in_it(tmp_path, monkeypatch):
    monkeypatch.undo()  # so that the curves are drawn here; the data set is small all the same
    monkeypatch.setattr("tinyres.data.shapes", few_shapes)
    folder = run(tmp_path / "a" / "b", model="resnet8", limit_batches=1, batch_size=2, seed=5)
    saved = ["best.safetensors", "last.safetensors", "previous.safetensors"]
    others = [".lock", "config.json", "curves.png", "metrics.jsonl", "result.json"]
    assert sorted(path.name for path in folder.path.iterdir()) == sorted(saved + others)
    assert folder.curves.read_bytes().startswith(b"\x89PNG")


def test_config(tmp_path):
    config = json.loads(run(tmp_path / "run", seed=5, threads=1).config.read_text())
    assert config["settings"]["seed"] == 5
    assert config["data_sha256"] == few_shapes()[0].sha256()
    assert config["threads"] == 1
    assert config["versions"] == {
        "tinyres": tinyres.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    assert RunFolder(tmp_path / "run").read_config()["settings"] == settings(seed=5, threads=1)


def test_a_run_is_never_overwritten(tmp_path):
    run(tmp_path / "run")
    with pytest.raises(RunError, match=r"holds a run already; go on with it by --resume"):
        run(tmp_path / "run")
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(RunError, match="expected a new or an empty folder"):
            run(taken)


def test_no_run_s_folder(tmp_path):
    with pytest.raises(RunError, match=r"not a run's folder: it has no config\.json"):
        RunFolder(tmp_path).read_config()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format_version": 1}', '{"format_version": 1, "settings": {}}', "[" * 5000, '"\\ud800"'],
)
def test_damaged_config(tmp_path, text):
    folder = RunFolder(tmp_path)
    folder.config.write_text(text)
    with pytest.raises(RunError, match=r"config\.json: damaged"):
        folder.read_config()


def test_config_of_another_version(tmp_path):
    folder = RunFolder(tmp_path)
    folder.config.write_text('{"format_version": 2}')
    with pytest.raises(RunError, match="expected format version 1, got 2"):
        folder.read_config()


def test_damaged_metrics(tmp_path):
    folder = RunFolder(tmp_path)
    line = dict.fromkeys(METRICS, 1)
    folder.metrics.write_text(f'{json.dumps(line)}\n{{"epo')
    with pytest.raises(RunError, match=r"metrics\.jsonl: damaged"):
        folder.read_metrics()
    folder.keep_metrics(1)
    assert folder.read_metrics() == [line]


def test_damaged_result(tmp_path):
    folder = run(tmp_path / "run")
    expected = folder.read_result()
    folder.result.write_text("{")
    with pytest.raises(RunError, match=r"result\.json: damaged .* delete it, and --resume"):
        resume(settings(), folder, quiet())
    folder.result.unlink()
    assert resume(settings(), folder, quiet()) == expected


def test_default_folder():
    assert default_folder(settings(data="cifar10")).path.match("runs/cifar10-tiny-20*")
    assert default_folder(settings(data="folder:some/where/cats")).path.match("runs/cats-tiny-20*")


# ---- evaluation afterwards -------------------------------------------------------------------------------------------


def test_evaluation_agrees_with_the_result(tmp_path):
    folder = run(tmp_path / "run", epochs=3)
    result, again = folder.read_result(), evaluate_run(folder, settings())
    assert {name: result[name] for name in again} == again
    last = evaluate_run(folder, settings(), "last")
    assert (last["checkpoint"], last["epoch"]) == ("last.safetensors", 3)


def test_evaluation_on_other_classes(tmp_path, monkeypatch):
    folder = run(tmp_path / "run")
    train_set, test_set = few_shapes()
    other = type(test_set)(test_set.images, test_set.labels, tuple("abcdefghij"), "letters")
    monkeypatch.setattr("tinyres.data.load", lambda *arguments, **settings: (train_set, other))
    with pytest.raises(RunError, match="was trained on other classes"):
        evaluate_run(folder, settings())


def test_evaluation_before_there_is_a_best(tmp_path):
    folder = run(tmp_path / "run")
    folder.best.unlink()
    with pytest.raises(RunError, match=r"best\.safetensors: no such checkpoint"):
        evaluate_run(folder, settings())
