"""A run on a GPU, and one that changes its device on the way, on the emulated GPU (tests/cuda_on_cpu)."""

import numpy as np
import pytest
from app.training.test_resume import stop_after
from cuda_on_cpu import emulator
from cuda_on_cpu.cupy_stand_in import gpu  # noqa: F401
from rich.console import Console
from runs import add_model, quiet, run, settings, tiny_world  # noqa: F401

from tinyres import nn
from tinyres.app.training import Diverged, Interrupted, RunFolder, checkpoint, resume, train
from tinyres.models.resnet import BasicBlock
from tinyres.scale import captured

pytestmark = [emulator.needs_compiler, pytest.mark.usefixtures("tiny_world", "gpu")]
CHOSEN = {"model": "residual", "precision": "float64", "lr": 0.05, "label_smoothing": 0.1}


def residual(num_classes=10, shortcut="A"):
    return nn.Sequential(
        nn.AvgPool2d(4),
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        BasicBlock(4, 6, 2, shortcut),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, num_classes),
    )


@pytest.fixture(autouse=True)
def few_steps_at_a_time(monkeypatch):
    add_model(monkeypatch, "residual", residual)
    monkeypatch.setattr(captured, "REPORT_EVERY", 2)


def numbers(folder):
    """All that a run computed: {name: array}"""
    found = {}
    for k, line in enumerate(folder.read_metrics()):
        found |= {f"{k} {name}": v for name, v in line.items() if name not in ("seconds", "images_per_second")}
    found |= {f"result {k}": v for k, v in folder.read_result().items() if k not in ("seconds", "checkpoint")}
    for path in (folder.last, folder.best):
        saved = checkpoint.load(path)
        found |= {f"{path.name} {name}": array for name, array in (saved.weights | saved.optimizer).items()}
    return found


def assert_same(folder, wanted):
    found, wanted = numbers(folder), numbers(wanted)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-8, atol=1e-11, err_msg=name)


def test_a_run_changes_its_device_twice(monkeypatch, tmp_path):
    """It begins on the CPU, moves to the GPU and back, both times in the middle of an epoch."""
    whole = run(tmp_path / "whole", **CHOSEN)
    assert_same(run(tmp_path / "cuda", **CHOSEN, device="cuda"), whole)
    folder = RunFolder(tmp_path / "moved")
    stop_after(1, monkeypatch)
    with pytest.raises(Interrupted, match="epoch 1 of 2, after 1 of its 3 batches"):
        train(settings(**CHOSEN), folder, quiet())
    stop_after(3, monkeypatch)  # 2 batches and the validation; then, on the GPU, 2 more
    with pytest.raises(Interrupted, match="epoch 2 of 2, after 2 of its 3 batches"):
        resume(settings(**CHOSEN, device="cuda"), folder, quiet())
    stop_after(1000, monkeypatch)
    resume(settings(**CHOSEN), folder, quiet())
    assert_same(folder, whole)


def diverged(device, tmp_path):
    with pytest.raises(Diverged) as error:
        train(settings(**{**CHOSEN, "lr": 1e200}, device=device), RunFolder(tmp_path / device), quiet())
    return str(error.value)


def test_divergence_is_told_as_on_the_processor(tmp_path):
    """The step, the losses and the weights are the same. Only which gradients become NaN may depend on the kernels."""
    there, here = (diverged(device, tmp_path).splitlines() for device in ("cuda", "cpu"))
    assert there[:3] == here[:3]
    assert "largest weight" in there[2] and "largest gradient  NaN or Inf" in there[3]
    assert there[-1] == here[-1]


def test_a_model_that_cannot_be_recorded_is_trained_all_the_same(tmp_path):
    console = Console(record=True, width=200)
    folder = RunFolder(tmp_path / "tiny")
    train(settings(model="tiny", epochs=1, device="cuda", limit_batches=1), folder, console)
    assert "launched kernel by kernel, for a CUDA graph cannot repeat Dropout of" in console.export_text()
    assert folder.read_result() is not None
