"""For the tests of training: a tiny network, a few images, and runs that take a moment."""

import sys
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from tinyres import data, nn
from tinyres.app.training import RunFolder, Settings, checkpoint, train
from tinyres.data.shapes import shapes
from tinyres.models import registry

BATCHES = 3  # in an epoch: 72 of 80 images, 24 in a batch; the other 8 are one validation batch


def tiny(num_classes: int = 10, shortcut: str = "A") -> nn.Module:
    """A network with weights, running statistics and random draws: a resumed run must get all of them right."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(16, num_classes),
    )


def add_model(patch, name, make):
    """From here on make() is the model of this name."""
    patch.setitem(registry.FILES, name, name)
    patch.setitem(sys.modules, f"tinyres.models.{name}", SimpleNamespace(**{name: make}))


@cache
def few_shapes() -> tuple[data.Dataset, data.Dataset]:
    return shapes(train=80, test=50)


@pytest.fixture
def tiny_world(monkeypatch, tmp_path):
    """The model "tiny" exists, Shapes has 80 + 50 images, no curves are drawn, and the current folder is tmp_path."""
    add_model(monkeypatch, "tiny", tiny)
    monkeypatch.setattr(data, "shapes", few_shapes)
    monkeypatch.setattr("tinyres.app.training.trainer.draw_curves", lambda *arguments: None)
    monkeypatch.chdir(tmp_path)


def settings(**chosen) -> Settings:
    return Settings.from_recipe(**{"model": "tiny", "batch_size": 24, "epochs": 2, **chosen})


def quiet() -> Console:
    return Console(quiet=True)


def run(folder, **chosen) -> RunFolder:
    """A finished run."""
    train(settings(**chosen), RunFolder(folder), quiet())
    return RunFolder(folder)


def outcome(folder: RunFolder) -> dict:
    """All that a run computed: its figures except the times, and its weights and momenta as bytes."""
    metrics = [{k: v for k, v in m.items() if k not in ("seconds", "images_per_second")} for m in folder.read_metrics()]
    saved = {path.name: checkpoint.load(path) for path in (folder.last, folder.best)}
    for each in saved.values():
        each.about.get("position", {}).pop("seconds", None)
    arrays = {
        (file, kind, name): (array.shape, array.tobytes())
        for file, each in saved.items()
        for kind, tensors in (("weights", each.weights), ("optimizer", each.optimizer))
        for name, array in tensors.items()
    }
    result = {k: v for k, v in (folder.read_result() or {}).items() if k != "seconds"}
    return {"metrics": metrics, "arrays": arrays, "about": [each.about for each in saved.values()], "result": result}


def same_arrays(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
