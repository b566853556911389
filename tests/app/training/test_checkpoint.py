"""A checkpoint is read back exactly, or not at all."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from tinyres import nn
from tinyres.app.training import RunError
from tinyres.app.training.checkpoint import Checkpoint, load, load_weights, save
from tinyres.app.training.files import write_atomically

ABOUT = {"model": "tiny", "classes": ["a", "ü"], "mean": [0.1, 1 / 3], "shortcut": None, "epoch": 3}


def example():
    draws = np.random.default_rng(0)
    weights = {
        "weight": draws.standard_normal((2, 3, 4), np.float32),
        "as it lies": draws.standard_normal((4, 3, 2)).transpose(2, 0, 1),  # safetensors alone would mix up its numbers
        "every second": draws.standard_normal(9)[::2],
        "count": np.array(17),
        "none": np.zeros((0, 3)),
    }
    return Checkpoint(weights, {"0.momentum": draws.standard_normal((2, 3, 4))}, ABOUT)


def test_round_trip(tmp_path):
    saved = example()
    save(saved, tmp_path / "file")
    loaded = load(tmp_path / "file")
    assert loaded.about == ABOUT
    for before, after in ((saved.weights, loaded.weights), (saved.optimizer, loaded.optimizer)):
        assert before.keys() == after.keys()
        for name in before:
            assert before[name].dtype == after[name].dtype
            assert before[name].shape == after[name].shape
            np.testing.assert_array_equal(before[name], after[name])


def test_weights_stand_under_their_own_names_for_any_reader(tmp_path):
    saved = example()
    save(saved, tmp_path / "file")
    np.testing.assert_array_equal(load_file(tmp_path / "file")["as it lies"], saved.weights["as it lies"])


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "file"
    save(example(), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "file"


@given(part=st.floats(0, 1, exclude_max=True))
def test_truncated_anywhere(content, damaged, part):
    damaged.write_bytes(content[: int(part * len(content))])
    with pytest.raises(RunError, match="damaged"):
        load(damaged)


@given(part=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_byte_changed(content, damaged, part, flip):
    place = int(part * len(content))
    damaged.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
    with pytest.raises(RunError):
        load(damaged)


def test_missing(tmp_path):
    with pytest.raises(RunError, match="file: no such checkpoint"):
        load(tmp_path / "file")


def test_somebody_else_s(tmp_path):
    save_file({"weight": np.zeros(3)}, tmp_path / "file")
    with pytest.raises(RunError, match="not written by tinyres"):
        load(tmp_path / "file")


def test_of_another_version(tmp_path, monkeypatch):
    monkeypatch.setattr("tinyres.app.training.checkpoint.FORMAT_VERSION", 3)
    save(example(), tmp_path / "file")
    monkeypatch.undo()
    with pytest.raises(RunError, match="expected format version 2, got 3"):
        load(tmp_path / "file")


def test_weights_of_another_network(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(RunError, match="holds a tiny, but the run trains a resnet8"):
        load_weights(nn.Linear(2, 3), Checkpoint({}, about={"model": "tiny"}), path, "resnet8")
    with pytest.raises(RunError, match=r"holds another tiny .*bias is missing"):
        load_weights(nn.Linear(2, 3), Checkpoint({"weight": np.zeros((3, 2))}, about={"model": "tiny"}), path, "tiny")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
