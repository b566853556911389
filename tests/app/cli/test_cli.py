"""The command line: the commands without files of their own here, wrong command lines, failures and help."""

import json
import re
import sys
from pathlib import Path

import pytest
from app.cli.commands import TRAIN, failed, python, refused
from runs import tiny_world  # noqa: F401

import tinyres
from tinyres.app.cli import COMMANDS, main, output
from tinyres.app.training import RunFolder
from tinyres.ops.tanh import Tanh

pytestmark = pytest.mark.usefixtures("tiny_world")

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


def test_what_fails(capsys, monkeypatch):
    assert failed(capsys, "eval", ".").startswith("tinyres: .: not a run's folder")
    assert failed(capsys, "train", "--resume", "nowhere").startswith("tinyres: nowhere: not a run's folder")
    assert "no such folder" in failed(capsys, "train", "--data", "folder:nowhere")
    diverged = failed(capsys, *TRAIN, "--lr", "1e30", "--out", "diverged")
    assert diverged.startswith("tinyres: training diverged: the loss is ")
    assert "What to try: start again with a lower learning rate, such as --lr 0.1" in diverged
    Path("file").write_text("mine")
    assert "expected a new or an empty folder" in failed(capsys, *TRAIN, "--out", "file")
    assert "tinyres: " in failed(capsys, *TRAIN, "--out", "file/run")
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert failed(capsys, *TRAIN, "--device", "cuda").startswith("tinyres: device 'cuda' needs CuPy: pip install")


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
