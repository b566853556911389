"""A user's program that uses tinyres passes `mypy --strict`, and a wrong call in it is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinyres

pytest.importorskip("mypy", reason='needs mypy: pip install -e ".[dev]"')

PROGRAM = """
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import tinyres
from tinyres import Op, Tensor, data, models, nn, optim
from tinyres.app import training
from tinyres.autograd import Array
from tinyres.nn import functional as F
from tinyres.optim import lr_scheduler


class Cube(Op):
    def forward(self, x: Array) -> Array:
        self.saved = (x,)
        return x**3

    def backward(self, gy: Array) -> Array:
        (x,) = self.saved
        return 3 * x**2 * gy


class Net(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn(self.conv(x)))
        scores: Tensor = self.fc(F.adaptive_avg_pool2d(y, 1).flatten(1))
        return scores


def learn(model: nn.Module, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, 10)
    losses: list[float] = []
    for images, labels in batches:
        loss = F.cross_entropy(model(Tensor(images)), Tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


tinyres.manual_seed(0)
train, test = data.load("shapes")
loader = data.Loader(train, batch_size=32, shuffle=True)
learn(Net(8), loader.epoch(0))
resnet: nn.Module = models.resnet20(num_classes=10)
with tinyres.no_grad(), tinyres.detect_anomaly():
    resnet.eval()
x = tinyres.randn(2, 3, requires_grad=True)
worst: float = tinyres.gradcheck(lambda x: Cube()(x), [x])
shape: tuple[int, ...] = (x + 1).sum(0).shape
settings = training.Settings.from_recipe(epochs=1)
result = training.train(settings, training.RunFolder(Path("run")))
"""

WRONG = {
    "Net('wide')": 'Argument 1 to "Net" has incompatible type "str"; expected "int"',
    "F.relu([1.0, 2.0])": 'Argument 1 to "relu" has incompatible type "list[float]"; expected "Tensor"',
    "F.relu6(x)": 'Module has no attribute "relu6"',
    "optim.SGD(resnet.parameters(), learning_rate=0.1)": 'Unexpected keyword argument "learning_rate" for "SGD"',
    "nn.Linear(3)": 'Missing positional argument "out_features" in call to "Linear"',
    "x.backwards()": '"Tensor" has no attribute "backwards"',
    "tinyres.follow_environment()": 'Module "tinyres" does not explicitly export attribute "follow_environment"',
    "training.train(settings, 'run')": 'Argument 2 to "train" has incompatible type "str"; expected "RunFolder"',
}


def check(folder, program):
    """What mypy --strict says of it, and its exit code. Its configuration is none: a user has not ours."""
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    root = Path(tinyres.__file__).parents[1]
    paths = [root, root / "kernels"] if (root / "kernels").is_dir() else []  # an installed one mypy finds by itself
    environment = {"MYPYPATH": ":".join(map(str, paths)), "PATH": ""}
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={folder.parent / 'mypy'}",
        "--follow-imports=silent",
        "--ignore-missing-imports",
        path.name,
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr, done.returncode


def test_the_types_are_handed_out():
    assert (Path(tinyres.__file__).parent / "py.typed").exists()


def test_a_right_program(tmp_path):
    said, code = check(tmp_path, PROGRAM)
    assert code == 0, said


def test_wrong_calls_are_refused(tmp_path):
    said, code = check(tmp_path, PROGRAM + "\n".join(WRONG))
    first = PROGRAM.count("\n") + 1
    errors = {
        int(number): text
        for number, text in re.findall(r"^program\.py:(\d+): error: (.*?)(?: +\[[\w-]+\])?$", said, re.MULTILINE)
    }
    assert code == 1
    assert list(errors) == list(range(first, first + len(WRONG))), said
    for text, expected in zip(errors.values(), WRONG.values(), strict=True):
        assert expected in text
