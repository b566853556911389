"""tinyres/training/captured.py: steps recorded and launched again, on the stand-in for a GPU (tests/cuda_on_cpu)."""

import sys
from functools import partial

import numpy as np
import pytest
from cuda_on_cpu import cupy_stand_in, emulator

from tinyres import Tensor, manual_seed, nn, optim
from tinyres.data import Dataset, Loader
from tinyres.models.resnet import BasicBlock, Bottleneck, ResNet
from tinyres.training.captured import CapturedSteps, NotRecordable
from tinyres.training.step import train_step
from tinyres_kernels.gpu import launch

pytestmark = emulator.needs_compiler
MEAN, STD = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """There is a GPU, as far as tinyres can see."""
    monkeypatch.setitem(sys.modules, "cupy", cupy_stand_in)
    monkeypatch.delenv("TINYRES_KERNELS", raising=False)
    launch.load.cache_clear()
    yield
    launch.load.cache_clear()
    assert emulator.recorded is None


def pictures(count=11):
    draws = np.random.default_rng(3)
    images = draws.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)
    return Dataset(images, draws.integers(0, 4, count), tuple("abcd"), "noise")


def small_resnet(block=BasicBlock, shortcut="A"):
    manual_seed(0)
    return ResNet(partial(block, shortcut=shortcut), (1, 1), (4, 6), 4).double()


class Training:
    """One network, one loader: 11 pictures are batches of 4, 4 and 3."""

    def __init__(self, device, model=None, **settings):
        self.model = (model or small_resnet()).to(device).train()
        chosen = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": True, **settings}
        self.optimizer = optim.SGD(self.model.parameters(), **chosen)
        self.loader = Loader(pictures(), 4, seed=5, shuffle=True, augment=True, mean=MEAN, std=STD, dtype=np.float64)

    def step(self, epoch, step, rate):
        """An ordinary one."""
        x, y = next(self.loader.epoch(epoch, start=step))
        self.optimizer.param_groups[0]["lr"] = rate
        loss, scores = train_step(self.model, self.optimizer, Tensor(x), Tensor(y))
        return loss, int((scores.numpy().argmax(1) == y).sum()), len(y)

    def state(self):
        everything = {**self.model.state_dict(), **self.optimizer.state_dict()}
        return {name: np.array(array) for name, array in everything.items()}

    def captured(self, label_smoothing=0.0):
        return CapturedSteps(self.model, self.optimizer, self.loader, label_smoothing)


def assert_same(state, wanted):
    assert state.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(state[name], array, rtol=1e-9, atol=1e-12, err_msg=name)


RATES = [0.1, 0.05, 0.2]


@pytest.mark.parametrize(
    ("block", "shortcut", "settings"),
    [
        (BasicBlock, "A", {}),
        (BasicBlock, "B", {"nesterov": False}),
        (Bottleneck, "C", {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}),
    ],
)
def test_replayed_steps_are_the_ordinary_ones(block, shortcut, settings):
    """Two epochs, each of two full batches and a smaller one; the second is entered in the middle, as when resumed."""
    here = Training("cpu", small_resnet(block, shortcut), **settings)
    there = Training("cuda", small_resnet(block, shortcut), **settings)
    steps = there.captured()
    for epoch, first in ((0, 0), (1, 1)):
        steps.begin(epoch, first, RATES)
        wanted = [here.step(epoch, step, RATES[step]) for step in range(first, 3)]
        learnt = [*steps.run(1), *steps.run(2 - first)]
        for actual, (loss, correct, images) in zip(learnt, wanted, strict=True):
            np.testing.assert_allclose(actual.loss, loss, rtol=1e-9)
            assert (actual.correct, actual.images) == (correct, images)
    assert_same(there.state(), here.state())
