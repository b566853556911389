"""The command line: what it does, what it says, and its exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from runs import BATCHES, outcome, tiny_world  # noqa: F401

import tinyres
from tinyres import data
from tinyres.app.cli import COMMANDS, main, output
from tinyres.app.training import RunFolder, Settings
from tinyres.app.training.interrupt import StopOnCtrlC
from tinyres.ops.tanh import Tanh

pytestmark = pytest.mark.usefixtures("tiny_world")

TRAIN = ("train", "--model", "tiny", "--batch-size", "24", "--epochs", "2")


def refused(capsys, *arguments):
    """The last line of the error message for a wrong command line."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()[-1]


def failed(capsys, *arguments):
    """The error message of a command that fails."""
    assert main([str(argument) for argument in arguments]) == 1
    return capsys.readouterr().err


# ---- train -----------------------------------------------------------------------------------------------------------


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


def python(*arguments, **options):
    """A tinyres process of this source tree, on one thread."""
    root = Path(tinyres.__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "kernels")])
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tinyres", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


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


# ---- eval and summary ------------------------------------------------------------------------------------------------


def test_eval(capsys):
    main([*TRAIN, "--out", "run", "--quiet"])
    capsys.readouterr()
    result = RunFolder("run").read_result()
    assert main(["eval", "run"]) == 0
    out = capsys.readouterr().out
    assert f"test accuracy  {result['test_accuracy']:.2%} of 50 test images of shapes" in out
    assert f"best.safetensors, from epoch {result['epoch']}" in out
    assert main(["eval", "run", "--checkpoint", "last", "--json", "--threads", "1"]) == 0
    last = json.loads(capsys.readouterr().out)
    assert (last["checkpoint"], last["epoch"], last["data"]) == ("last.safetensors", 2, "shapes")


def test_eval_of_a_damaged_checkpoint(capsys):
    main([*TRAIN, "--out", "run", "--quiet"])
    best = RunFolder("run").best
    best.write_bytes(best.read_bytes()[:-1])
    for command in (["eval", "run"], ["predict", "run", "cat.png"], ["export", "run", "run.onnx"]):
        message = failed(capsys, *command)
        assert re.search(r"^tinyres: run.best\.safetensors: damaged.*train again", message)
        assert "its weights exist nowhere else" in message
        assert message.endswith("tinyres eval run --checkpoint last\n")
    assert main(["eval", "run", "--checkpoint", "last"]) == 0
    assert "last.safetensors, from epoch 2" in capsys.readouterr().out
    best.unlink()
    message = failed(capsys, "eval", "run")
    assert "no such checkpoint" in message and "--checkpoint last" in message
    RunFolder("run").last.unlink()
    assert "--checkpoint last" not in failed(capsys, "eval", "run")


def test_summary(capsys):
    assert main(["summary", "resnet20", "--shortcut", "B", "--input", "3x64x64"]) == 0
    out = capsys.readouterr().out
    assert "3×64×64" in out
    assert "272,474" in out  # option A has 269,722
    assert main(["summary", "resnet20"]) == 0
    assert "269,722" in capsys.readouterr().out


def test_summary_of_a_step(capsys, monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    assert main(["summary", "resnet8", "--batch-size", "128"]) == 0
    out, err = capsys.readouterr()
    assert "memory of a training step: batches of 128, SGD with momentum" in out
    assert re.search(r"\none batch +1\.50 MiB\n", out)  # 128 images of 3×32×32 float32, and labels
    assert err == ""


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("command", (["summary", "resnet8"], ["lab", "one-by-one", "--out", "lab"]))
def test_compiling_is_announced(capsys, monkeypatch, tmp_path, command, empty):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    monkeypatch.setattr(output, "must_compile", lambda: empty)
    assert main(command) == 0
    assert capsys.readouterr().err.startswith("compiling the kernels") == empty


# ---- gradcheck -------------------------------------------------------------------------------------------------------


def test_gradcheck(capsys):
    assert main(["gradcheck", "--op", "Linear"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[-5] for line in out.splitlines() if "e-1" in line] == ["x", "w", "b"]
    assert "3 gradients, none of them wrong" in out


def test_gradcheck_of_something_wrong(capsys, monkeypatch):
    right = Tanh.backward
    monkeypatch.setattr(Tanh, "backward", lambda self, gy: 2 * right(self, gy))
    assert main(["gradcheck", "--op", "Tanh"]) == 1
    out, err = capsys.readouterr()
    assert "wrong" in out
    assert "1 gradients, 1 of them wrong" in out
    assert "tinyres: Tanh, matrix: the gradient of input 0, shape (3, 4), is wrong" in err
    assert "guilty:    Tanh, in the gradient of x" in err


def test_gradcheck_as_json(capsys):
    assert main(["gradcheck", "--op", "Exp", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["gradients"]
    assert (row["subject"], row["input"], row["adjoint"]) == ("Exp", "x", None)
    assert 0 < row["central"] < 1e-8


def test_gradcheck_draws_the_steps():
    assert main(["gradcheck", "--op", "Exp", "--sweep", "steps.png"]) == 0
    assert Path("steps.png").read_bytes().startswith(b"\x89PNG")


# ---- step ------------------------------------------------------------------------------------------------------------


def test_step(capsys):
    assert main(["step", "chain"]) == 0
    size = Path("step-chain.html").stat().st_size
    assert capsys.readouterr().out == f"step-chain.html ({size / 1e3:.0f} kB): open it in a browser\n"
    assert main(["step", "chain", "--out", "mine.html"]) == 0
    assert Path("mine.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


# ---- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--model", "resnet21"], "argument --model: unknown model 'resnet21'; did you mean resnet"),
        (["train", "--data", "cifar"], "argument --data: unknown data set 'cifar'; did you mean cifar10"),
        (["train", "--schedule", "cos"], "argument --schedule: unknown schedule 'cos'; did you mean cosine"),
        (["train", "--recipe", "slow"], "argument --recipe: unknown recipe 'slow'; "),
        (["train", "--shortcut", "D"], "argument --shortcut: unknown shortcut 'D'; There are: A, B, C"),
        (["train", "--precision", "float"], "did you mean float"),
        (["train", "--precision", "tf32"], "argument --precision: expected float32 or float64 on the cpu"),
        (["train", "--lr", "0"], "argument --lr: expected a number above 0, got 0.0"),
        (["train", "--batch-size", "0"], "argument --batch-size: expected 1 or more, got 0"),
        (["train", "--seeds", "1"], "argument --seeds: expected 2 or more, got 1"),
        (["train", "--model", "plain20", "--shortcut", "A"], "plain20 has no shortcuts"),
        (["train", "--device", "tpu"], "expected 'cpu' or 'cuda', got 'tpu'"),
        (["train", "--sheep", "1"], "unrecognized arguments: --sheep 1"),
        (["summary", "resnet5"], "argument MODEL: unknown model 'resnet5'; did you mean resnet"),
        (["summary", "plain20", "--shortcut", "A"], "plain20 has no shortcuts"),
        (["summary", "resnet20", "--batch-size", "0"], "argument --batch-size: expected 1 or more, got 0"),
        (["summary", "resnet20", "--input", "32x32"], "argument --input: expected channels, height and width"),
        (["bench", "--model", "resnet5"], "argument --model: unknown model 'resnet5'; did you mean resnet"),
        (["bench", "--repeats", "0"], "argument --repeats: expected 1 or more, got 0"),
        (["gradcheck", "--op", "Conv"], "argument --op: unknown op 'Conv'; did you mean Conv2d? There are: "),
        (["step", "resnet"], "argument EXAMPLE: unknown example 'resnet'; did you mean resnet20"),
        (["eval"], "the following arguments are required: RUN_DIR"),
        (["trian"], "invalid choice: 'trian'"),
        ([], "the following arguments are required: COMMAND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line(capsys, arguments, message):
    assert message in refused(capsys, *arguments)
    assert not Path("runs").exists()


def test_a_run_in_tf32_does_not_go_on_without_a_gpu(capsys):
    folder = RunFolder("run")
    folder.path.mkdir()
    folder.create(Settings.from_recipe(model="tiny", device="cuda", precision="tf32"), "0" * 64, 1, 1)
    message = "argument --precision: expected float32 or float64 on the cpu"
    assert message in refused(capsys, "train", "--resume", "run", "--device", "cpu")


def test_what_fails(capsys, monkeypatch):
    assert failed(capsys, "eval", ".").startswith("tinyres: .: not a run's folder")
    assert failed(capsys, "train", "--resume", "nowhere").startswith("tinyres: nowhere: not a run's folder")
    assert "no such folder" in failed(capsys, "train", "--data", "folder:nowhere")
    diverged = failed(capsys, *TRAIN, "--lr", "1e30", "--out", "diverged")
    assert diverged.startswith("tinyres: training diverged: the loss is ")
    assert "What to try: start anew with a lower learning rate, such as --lr 0.1" in diverged
    Path("file").write_text("mine")
    assert "expected a new or an empty folder" in failed(capsys, *TRAIN, "--out", "file")
    assert "tinyres: " in failed(capsys, *TRAIN, "--out", "file/run")
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert failed(capsys, *TRAIN, "--device", "cuda").startswith("tinyres: device 'cuda' needs CuPy: pip install")


def test_ctrl_c_before_training(capsys, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", interrupted)
    assert main([*TRAIN, "--out", "run"]) == 130
    assert capsys.readouterr().err == "\ntinyres: stopped\n"


# ---- the program itself ----------------------------------------------------------------------------------------------


NAMES = [command.__name__.rpartition(".")[2] for command in COMMANDS]  # a command's file has its name


@pytest.mark.parametrize("command", [[], *([name] for name in NAMES)], ids=str)
def test_help(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    widest = 86 if command == ["convert"] else 80  # its table has long names of repositories
    assert max(map(len, out.splitlines())) <= widest
    assert "tinyres train" in out if not command else f"examples:\n  tinyres {command[0]} " in out


def test_version_of_the_module_run_as_a_program():
    process = python("--version")
    assert process.communicate() == (f"tinyres {tinyres.__version__}\n", "")
    assert process.returncode == 0
