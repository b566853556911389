"""`tinyres train`: its flags and its output, Ctrl-C and --resume."""

import json
import re
import signal
from pathlib import Path

import pytest
from app.cli.commands import TRAIN, failed, python, refused
from runs import BATCHES, outcome, tiny_world  # noqa: F401

from tinyres import data
from tinyres.app.cli import main
from tinyres.app.training import RunFolder, Settings
from tinyres.app.training.interrupt import StopOnCtrlC

pytestmark = pytest.mark.usefixtures("tiny_world")


def test_train(capsys):
    assert main([*TRAIN, "--out", "run", "--seed", "3"]) == 0
    out, err = capsys.readouterr()
    result = RunFolder("run").read_result()
    assert f"test accuracy  {result['test_accuracy']:.2%} of 50 test images" in out
    assert f"test loss      {result['test_loss']:.4f}" in out
    assert f"weights        of epoch {result['epoch']} of 2" in out
    assert "2/2" in out
    assert err == ""
    assert RunFolder("run").read_config()["settings"].seed == 3


def test_every_flag_arrives():
    flags = {
        "data": "shapes",
        "data_dir": "somewhere",
        "model": "resnet8",
        "shortcut": "B",
        "recipe": "paper",
        "epochs": 1,
        "batch_size": 7,
        "lr": 0.25,
        "schedule": "cosine",
        "momentum": 0.5,
        "weight_decay": 0.125,
        "label_smoothing": 0.0625,
        "limit_batches": 1,
        "seed": 9,
        "threads": 1,
        "device": "cpu",
        "precision": "float64",
        "batch_norm": "local",
    }
    command_line = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert main(["train", *command_line, "--out", "run", "--quiet"]) == 0
    settings = vars(RunFolder("run").read_config()["settings"])
    assert {name: settings[name] for name in flags} == flags
    unreachable = {"nesterov", "steps", "warm_up"}  # a recipe's own
    elsewhere = {"tensorboard"}  # tests/app/training/test_event_file.py
    assert settings.keys() - flags.keys() == unreachable | elsewhere


def test_without_out_the_folder_is_named_after_the_run(capsys):
    assert main([*TRAIN, "--quiet"]) == 0
    (folder,) = Path("runs").iterdir()
    assert re.fullmatch(r"shapes-tiny-\d{8}-\d{6}", folder.name)
    assert f"folder         {folder}" in capsys.readouterr().out


def test_quiet(capsys):
    assert main([*TRAIN, "--quiet", "--out", "run"]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["test", "test", "weights", "folder"]
    assert err == ""


def test_json(capsys):
    assert main([*TRAIN, "--json", "--out", "run"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"folder": "run", **RunFolder("run").read_result()}
    assert "2/2" in err


def test_seeds(capsys):
    assert main([*TRAIN, "--seeds", "2", "--seed", "5", "--out", "two"]) == 0
    result = RunFolder("two").read_result()
    average, deviation = 100 * result["test_accuracy"], 100 * result["test_accuracy_std"]
    assert f"test accuracy  {average:.2f} ± {deviation:.2f} %" in capsys.readouterr().out
    assert sorted(path.name for path in Path("two").glob("seed-*")) == ["seed-5", "seed-6"]
    assert main(["train", "--resume", "two", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": "two", **result}


# ---- Ctrl-C and --resume ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [(), ("--seeds", "2")], ids=["one", "seeds"])
def test_ctrl_c_and_resume(flags, monkeypatch, capsys):
    assert main([*TRAIN, *flags, "--out", "whole"]) == 0
    calls = iter(range(1000))
    with monkeypatch.context() as patch:
        patch.setattr(StopOnCtrlC, "__call__", lambda self: next(calls) == BATCHES - 1)
        assert main([*TRAIN, *flags, "--out", "cut"]) == 130
    err = capsys.readouterr().err
    assert "stopped in epoch 1 of 2, after 2 of its 3 batches; everything is saved" in err
    assert err.endswith("tinyres train --resume cut\n")
    assert main(["train", "--resume", "cut"]) == 0
    folder = "seed-0" if flags else ""
    assert outcome(RunFolder(Path("cut", folder))) == outcome(RunFolder(Path("whole", folder)))


def test_resuming_a_finished_run_says_so(capsys):
    main([*TRAIN, "--out", "run", "--quiet"])
    result = capsys.readouterr().out
    assert main(["train", "--resume", "run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("run is finished")
    assert out.endswith(result)


def test_a_run_may_go_on_on_another_device(capsys):
    """There is no GPU here, so it fails when it looks for one, and not because the devices differ."""
    main([*TRAIN, "--out", "run", "--quiet"])
    assert failed(capsys, "train", "--resume", "run", "--device", "cuda").startswith(
        "tinyres: device 'cuda' needs CuPy"
    )
    assert main(["train", "--resume", "run", "--device", "cpu", "--quiet"]) == 0


def test_what_contradicts_a_run_is_refused(capsys):
    main([*TRAIN, "--out", "run", "--quiet"])
    capsys.readouterr()
    message = refused(capsys, "train", "--resume", "run", "--epochs", 3)
    assert "argument --epochs: 3 contradicts the run, which began with 2" in message
    message = refused(capsys, "train", "--resume", "run", "--batch-size", 25)
    assert "argument --batch-size: 25 contradicts the run, which began with 24" in message
    for flag in ("--out", "--seeds"):
        assert f"argument {flag}: does not go with --resume" in refused(capsys, "train", "--resume", "run", flag, "2")
    agreeing = ("--epochs", "2", "--threads", "1", "--data-dir", "elsewhere")
    assert main(["train", "--resume", "run", *agreeing]) == 0


def test_a_process_stopped_by_sigint_and_resumed():
    arguments = ("--batch-size", "8", "--limit-batches", "6", "--epochs", "5", "--threads", "1")
    whole = python("train", *arguments, "--out", "whole")
    cut = python("train", *arguments, "--out", "cut")
    folder = RunFolder("cut")
    next(line for line in cut.stdout if line.startswith("1/5"))  # the first epoch is done
    cut.send_signal(signal.SIGINT)
    _, err = cut.communicate()
    assert cut.returncode == 130, err
    assert "tinyres train --resume cut" in err
    assert folder.read_result() is None
    resumed = python("train", "--resume", "cut", "--json")
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    whole.communicate()
    assert outcome(folder) == outcome(RunFolder("whole"))
    assert json.loads(out)["test_accuracy"] == RunFolder("whole").read_result()["test_accuracy"]


def test_a_run_in_tf32_does_not_go_on_without_a_gpu(capsys):
    folder = RunFolder("run")
    folder.path.mkdir()
    folder.create(Settings.from_recipe(model="tiny", device="cuda", precision="tf32"), "0" * 64, 1, 1)
    message = "argument --precision: expected float32 or float64 on the cpu"
    assert message in refused(capsys, "train", "--resume", "run", "--device", "cpu")


def test_ctrl_c_before_training(capsys, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", interrupted)
    assert main([*TRAIN, "--out", "run"]) == 130
    assert capsys.readouterr().err == "\ntinyres: stopped\n"
