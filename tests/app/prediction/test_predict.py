"""tinyres/app/prediction: the right pixels reach the network, and its scores are reported."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from runs import few_shapes, run, tiny_world  # noqa: F401

import tinyres
from tinyres import Tensor
from tinyres.app.cli import main
from tinyres.app.prediction import predict
from tinyres.app.training import RunError, RunFolder, load_trained
from tinyres.data import Loader
from tinyres.data.dataset import DataError
from tinyres.nn import functional as F

pytestmark = pytest.mark.usefixtures("tiny_world")


def saved(image, name):
    Image.fromarray(image.transpose(1, 2, 0)).save(name)
    return Path(name)


def test_as_in_the_test_set():
    """A picture of the test set, saved and read again, has the same scores as in the test set."""
    trained = load_trained(run("run"))
    _, test = few_shapes()
    files = [saved(test.images[k], f"{k}.png") for k in range(3)]
    batch, _ = next(Loader(test, 3, mean=trained.mean, std=trained.std).epoch(0))
    with tinyres.no_grad():
        wanted = F.softmax(trained.model(Tensor(batch)), dim=1).numpy()
    for n, found in enumerate(predict(trained, files)):
        order = np.argsort(-wanted[n])[:5]
        assert found.classes == tuple(test.classes[k] for k in order)
        np.testing.assert_allclose(found.probabilities, wanted[n][order], rtol=1e-5)
        assert np.array_equal(found.seen, test.images[n].transpose(1, 2, 0))
        assert found.resizing() == "32×32"


def test_resizing_is_said():
    trained = load_trained(run("run", epochs=1))
    saved(np.zeros((3, 40, 60), np.uint8), "wide.png")
    saved(np.zeros((3, 40, 40), np.uint8), "square.png")
    wide, square = predict(trained, [Path("wide.png"), Path("square.png")])
    assert wide.resizing() == "60×40; its central square, 40×40, scaled to 32×32, the size of the training images"
    assert square.resizing() == "40×40; scaled to 32×32, the size of the training images"
    assert wide.picture.shape == (40, 60, 3) and wide.seen.shape == (32, 32, 3)


def test_the_command(capsys):
    run("run", epochs=1)
    saved(few_shapes()[1].images[0], "a.png")
    saved(np.zeros((3, 40, 60), np.uint8), "b$.png")
    assert main(["predict", "run", "a.png", "b$.png", "--top", "3", "--out", "seen.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a.png: 32×32" and lines[4].startswith("b$.png: 60×40; its central square")
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert lines[-1] == "picture  seen.png"
    assert Path("seen.png").read_bytes().startswith(b"\x89PNG")
    assert main(["predict", "run", "a.png", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["images"][0]["predictions"]) == 5 and result["picture"] == "prediction.png"


def test_many_pictures_are_not_all_drawn(capsys, monkeypatch):
    monkeypatch.setattr("tinyres.app.prediction.picture.MOST", 1)
    run("run", epochs=1)
    saved(np.zeros((3, 32, 32), np.uint8), "a.png")
    assert main(["predict", "run", "a.png", "a.png"]) == 0
    assert capsys.readouterr().out.endswith("picture  prediction.png (the first 1 pictures)\n")


def test_what_cannot_be_read(capsys):
    folder = run("run", epochs=1)
    Path("b.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"b\.png: cannot be read as an image"):
        predict(load_trained(folder), [Path("b.png")])
    assert main(["predict", "run", "none.png"]) == 1
    assert "tinyres: none.png: cannot be read as an image" in capsys.readouterr().err
    assert main(["predict", "elsewhere", "none.png"]) == 1
    assert "tinyres: elsewhere: not a run's folder" in capsys.readouterr().err
    folder.best.unlink()
    with pytest.raises(RunError, match=r"best\.safetensors: no such checkpoint"):
        load_trained(RunFolder("run"))
