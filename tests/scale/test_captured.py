"""tinyres/scale/captured.py: recorded steps, launched on the emulated GPU (tests/cuda_on_cpu)."""

import contextlib
import sys
import weakref
from functools import partial

import numpy as np
import pytest
from cuda_on_cpu import emulator
from cuda_on_cpu.cupy_stand_in import Graph, Stream, freed, gpu  # noqa: F401

import tinyres_kernels.gpu
from tinyres import Tensor, manual_seed, nn, optim
from tinyres.data import Dataset, Loader
from tinyres.device import to_device
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.scale import captured
from tinyres.scale.captured import CapturedSteps
from tinyres.scale.recordable import NotRecordable
from tinyres.train import NotFinite, train_step

pytestmark = [emulator.needs_compiler, pytest.mark.usefixtures("gpu")]
MEAN, STD = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])


def pictures(count=11):
    draws = np.random.default_rng(3)
    images = draws.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)
    return Dataset(images, draws.integers(0, 4, count), tuple("abcd"), "noise")


def small_resnet(block=BasicBlock, shortcut="A"):
    manual_seed(0)
    return ResNet(partial(block, shortcut=shortcut), (1, 1), (4, 6), 4).double()


class Training:
    """A network and its loader: 11 images make batches of 4, 4 and 3."""

    def __init__(self, device, model=None, **settings):
        self.model = (model or small_resnet()).to(device).train()
        chosen = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": True, **settings}
        self.optimizer = optim.SGD(self.model.parameters(), **chosen)
        self.loader = Loader(pictures(), 4, seed=5, shuffle=True, augment=True, mean=MEAN, std=STD, dtype=np.float64)

    def step(self, epoch, step, rate):
        """Make an ordinary step."""
        x, y = next(self.loader.epoch(epoch, start=step))
        self.optimizer.param_groups[0]["lr"] = rate
        return train_step(self.model, self.optimizer, Tensor(x), Tensor(y))

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
    """Two epochs of two full batches and a smaller one. The second epoch is entered in the middle, as on resuming."""
    here = Training("cpu", small_resnet(block, shortcut), **settings)
    there = Training("cuda", small_resnet(block, shortcut), **settings)
    steps = there.captured()
    for epoch, first in ((0, 0), (1, 1)):
        steps.begin(epoch, first, RATES)
        wanted = [here.step(epoch, step, RATES[step]) for step in range(first, 3)]
        learnt = [*steps.run(1), *steps.run(2 - first)]
        for actual, score in zip(learnt, wanted, strict=True):
            np.testing.assert_allclose(actual.loss, score.loss, rtol=1e-9)
            assert (actual.correct, actual.images) == (score.correct, score.images)
    assert_same(there.state(), here.state())


def test_array_work_in_a_step_is_refused(monkeypatch):
    """The planted bug: array code adds up the parts of a convolution's gradient, as it once did."""
    module = sys.modules["tinyres_kernels.gpu.conv2d"]  # the package has a function of that name
    monkeypatch.setattr(module, "added_up", lambda parts: sum(parts))
    with pytest.raises(AssertionError, match="array work that a graph would not repeat here: add"):
        Training("cuda").captured()


def test_what_is_recorded_before_it_is_wanted_changes_nothing():
    """Recording runs the step twice. Weights, running statistics, momenta and tables must stay as they were."""
    there = Training("cuda")
    before = there.state()
    steps = there.captured()
    steps.begin(0, 0, RATES)
    steps.record(3)
    after = there.state()
    assert all(not array.any() for name, array in after.items() if name not in before)  # new: the momenta
    assert_same({name: after[name] for name in before}, before)
    assert not steps.loss_of.any() and steps.state.tolist() == [0, 0]


def test_the_next_epochs_draws_are_made_while_the_gpu_works(monkeypatch):
    happened = []
    note = happened.append
    launch, wait, make = Graph.launch, Stream.synchronize, captured.table_of_draws
    monkeypatch.setattr(Graph, "launch", lambda graph: (note("launch"), launch(graph)))
    monkeypatch.setattr(Stream, "synchronize", lambda stream: (note("wait"), wait(stream)))
    monkeypatch.setattr(
        captured, "table_of_draws", lambda loader, epoch: (note(f"draw {epoch}"), make(loader, epoch))[1]
    )
    steps = Training("cuda").captured()
    steps.begin(0, 0, RATES)
    assert "draw 0" in happened
    happened.clear()
    steps.run(2)
    assert happened == ["launch", "launch", "draw 1", "wait"]
    steps.run(1)
    steps.begin(1, 0, RATES)
    assert happened.count("draw 1") == 1


def test_steps_are_counted_on_the_host():
    """num_batches_tracked needs no work on the GPU."""
    there = Training("cuda")
    steps = there.captured()
    steps.begin(0, 0, RATES)
    steps.run(3)
    counters = list(steps.counters())
    assert {type(counter.data) for counter in counters} == {np.ndarray}
    assert {counter.item() for counter in counters} == {3}


@pytest.mark.parametrize("what", ["a weight", "a rate"])
def test_a_broken_step_is_noticed_and_not_learnt_from(what):
    """Step 1 of 3 is broken. The host learns it after step 3: all is as it was then, with the gradients of step 1."""
    there = Training("cuda")
    steps = there.captured()
    if what == "a rate":  # of step 0: its gradients are finite, but the weights that step 1 starts with are not
        steps.begin(0, 0, [np.inf, 0.1, 0.1])
        learnt = steps.run(3)
        assert [one.images for one in learnt] == [4] and np.isfinite(learnt[0].loss)
        assert np.isnan(steps.broken_loss)
        return
    steps.begin(0, 0, RATES)
    assert len(steps.run(1)) == 1 and steps.broken_loss is None
    kept = there.model.conv1.weight.data[0, 0, 0, 0].item()
    there.model.conv1.weight.data[0, 0, 0, 0] = np.nan
    before = there.state()
    assert steps.run(2) == []
    assert np.isnan(steps.broken_loss)
    assert np.isnan(there.model.conv1.weight.grad).any()
    for name, array in there.state().items():
        if "running" not in name:
            np.testing.assert_array_equal(array, before[name], err_msg=name)
    assert np.isfinite(kept)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_an_epoch_ends_at_the_broken_step(at_once, monkeypatch):
    """The rate of step 0 makes the weights infinite, so that step 1 is broken, wherever the host reads results."""
    monkeypatch.setattr(captured, "REPORT_EVERY", at_once)
    there, seen = Training("cuda", lr=np.inf), []
    schedule = optim.lr_scheduler.LRScheduler(there.optimizer)
    with pytest.raises(NotFinite) as error:
        for scores in there.captured().train_epoch(schedule, 0, 0, 3):
            seen.append([score.images for score in scores])
    assert seen == [[4]] and np.isnan(error.value.loss)


@pytest.mark.usefixtures("no_gc")
def test_what_was_recorded_is_freed_with_it():
    """The model and its optimiser stay, and hold nothing of the graphs' memory."""
    there = Training("cuda")
    steps = there.captured()
    steps.begin(0, 0, RATES)
    assert len(steps.run(3)) == 3 and len(steps.recorded) == 2
    mine = [steps, steps.images, steps.loss_of]
    for recorded in steps.recorded.values():
        mine += [recorded.graph, recorded.graph.pool, recorded.shares, *recorded.graph.kept, *recorded.pages]
    alive = [weakref.ref(one) for one in mine]
    freed.clear()
    del steps, mine, recorded
    assert not any(one() is not None for one in alive)
    assert len(freed) == 2 and all(freed)


@pytest.mark.usefixtures("no_gc")
def test_a_recording_that_is_refused_frees_its_memory():
    there = Training("cuda")
    there.model.fc = nn.Sequential(there.model.fc, nn.Dropout(0.5))
    freed.clear()
    with contextlib.suppress(NotRecordable):
        there.captured()
    assert len(freed) == 1 and all(freed)


def test_a_parameter_is_an_ordinary_leaf_after_the_recording():
    """Its gradients add up, and it keeps its hooks."""
    model = small_resnet().to("cuda")
    hooked = []
    model.fc.bias.register_hook(lambda gy: hooked.append(gy))
    Training("cuda", model).captured()
    images = Tensor(np.ones((2, 3, 8, 8))).to("cuda")
    gradients = []
    for _ in range(2):
        model.eval()(images).sum().backward()
        gradients.append(to_device(model.fc.bias.grad, "cpu"))
    np.testing.assert_array_equal(gradients[1], 2 * gradients[0])
    assert len(hooked) == 2


def test_a_gradient_alone_may_be_broken(monkeypatch):
    """The loss is finite, but the gradient of the last layer's bias is not."""
    infinite = to_device(np.full(4, np.inf), "cuda")
    monkeypatch.setattr(tinyres_kernels.gpu, "linear_grad_b", lambda gy: infinite)
    steps = Training("cuda").captured()
    steps.begin(0, 0, RATES)
    assert steps.run(2) == []
    assert np.isfinite(steps.broken_loss)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: setattr(t.model, "fc", nn.Sequential(t.model.fc, nn.Dropout(0.5))), "Dropout of "),
        (lambda t: setattr(t.model, "conv1", nn.Conv2d(3, 4, 3, padding=1).double().to("cuda")), "Conv2d of "),
        (lambda t: setattr(t.model.bn1, "momentum", None), "a batch norm whose momentum changes"),
        (lambda t: setattr(t, "optimizer", optim.Adam(t.model.parameters())), "the optimiser Adam, 1 groups"),
    ],
    ids=["dropout", "bias", "momentum", "Adam"],
)
def test_what_cannot_be_recorded_is_said_and_nothing_has_changed(change, why):
    there = Training("cuda")
    change(there)
    before = there.state()
    with pytest.raises(NotRecordable, match=why):
        there.captured()
    after = there.state()
    assert_same({name: after[name] for name in before}, before)


def test_array_code_on_the_gpu_is_not_recorded(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    with pytest.raises(NotRecordable, match="other kernels than those of the rung gpu"):
        Training("cuda").captured()


class Twice(nn.Module):
    """Its convolution and its batch norm are used twice each."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(3, 4)

    def forward(self, x):
        for _ in range(2):
            x = self.norm(self.conv(x))
        return self.fc(self.pool(x).flatten(1))


def test_a_weight_that_is_used_twice_gets_both_gradients():
    """They are added up where the work of a graph's branch must have been waited for."""
    run = {}
    for device in ("cpu", "cuda"):
        manual_seed(0)
        run[device] = Training(device, Twice().double())
    steps = run["cuda"].captured()
    steps.begin(0, 0, RATES)
    steps.run(3)
    for step, rate in enumerate(RATES):
        run["cpu"].step(0, step, rate)
    for name, wanted in run["cpu"].state().items():
        np.testing.assert_allclose(run["cuda"].state()[name], wanted, rtol=1e-7, atol=1e-10, err_msg=name)
