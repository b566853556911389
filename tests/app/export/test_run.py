"""tinyres/app/export/run.py: `tinyres export`."""

import json
from pathlib import Path

import numpy as np
import pytest
from runs import few_shapes, run, tiny_world  # noqa: F401

from tinyres.app.cli import main
from tinyres.app.export import check
from tinyres.app.export.check import Difference
from tinyres.app.training import load_trained
from tinyres.data import Loader

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytestmark = pytest.mark.usefixtures("tiny_world")


def test_the_file_says_all_it_takes_to_use_it(capsys):
    trained = load_trained(run("run"))
    assert main(["export", "run", "model.onnx"]) == 0
    out = capsys.readouterr().out
    assert "input    images  batch×3×32×32, float32" in out
    assert "output   scores  batch×10" in out
    said = {entry.key: entry.value for entry in onnx.load("model.onnx").metadata_props}
    mean, std = (np.array(json.loads(said[name])) for name in ("mean", "std"))
    _, test = few_shapes()
    images = ((test.images[:7] / 255 - mean[:, None, None]) / std[:, None, None]).astype(np.float32)
    ours, _ = next(Loader(test, 7, mean=trained.mean, std=trained.std).epoch(0))
    np.testing.assert_allclose(images, ours, atol=1e-5)
    _, (scores,) = check.run_onnx("model.onnx", images)
    assert scores.shape == (7, len(json.loads(said["classes"])))


def test_json(capsys):
    run("run", epochs=1, precision="float64")  # the file has float32
    assert main(["export", "run", "model.onnx", "--checkpoint", "last", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["largest_difference"] < 1e-4 and result["bytes"] == Path("model.onnx").stat().st_size


@pytest.mark.parametrize("relative", [0.01, float("nan")])
def test_other_scores_are_an_error(relative, capsys, monkeypatch):
    run("run", epochs=1)
    monkeypatch.setattr("tinyres.app.export.run.largest_difference", lambda *_: Difference("a runtime", relative))
    assert main(["export", "run", "model.onnx"]) == 1
    assert "model.onnx: scores of a runtime differ from the model's" in capsys.readouterr().err
