"""tinyres/app/weights/command.py: `tinyres convert`."""

import numpy as np
import pytest

from tinyres import models
from tinyres.app.cli import main
from tinyres.app.weights import load_weights, read, save_weights


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """resnet8 with akamaster's names."""
    monkeypatch.chdir(tmp_path)
    state = {name.replace("fc.", "linear."): values for name, values in models.resnet8().state_dict().items()}
    save_weights(state, "theirs.npz")
    return state


def test_there_and_back(theirs, capsys):
    assert main(["convert", "theirs.npz", "ours.safetensors"]) == 0
    first, *notes, last = capsys.readouterr().out.splitlines()
    assert first == f"theirs.npz: {len(theirs)} entries, resnet8, shortcut A, 10 classes"
    assert notes[0] == "  names as in akamaster/pytorch_resnet_cifar10"
    assert "load_weights(models.build('resnet8', 10, shortcut='A'), 'ours.safetensors')" in last
    assert load_weights(models.build("resnet8", 10, shortcut="A"), "ours.safetensors") == []
    assert main(["convert", "ours.safetensors", "back.npz", "--to", "pytorch_resnet_cifar10"]) == 0
    back = read("back.npz")
    assert back.keys() == theirs.keys()
    assert all(np.array_equal(back[name], values) for name, values in theirs.items())


def test_what_did_not_fit(theirs, capsys):
    assert main(["convert", "theirs.npz", "ours.safetensors", "--model", "resnet20"]) == 1
    err = capsys.readouterr().err
    assert "tinyres: theirs.npz: does not fit ResNet:\n  layer1.1.conv1.weight is missing\n" in err
    assert main(["convert", "theirs.npz", "ours.h5"]) == 1
    assert "ours.h5: expected a name ending in .safetensors or .npz" in capsys.readouterr().err
    assert main(["convert", "none.npz", "ours.npz"]) == 1
    assert "none.npz" in capsys.readouterr().err
