"""The measurements on a GPU, at small sizes, with a processor in its place."""

from types import SimpleNamespace

import numpy as np
import pytest
from cuda_on_cpu import emulator

import tinyres_kernels.gpu as gpu
from bench.gpu import clock, correctness, epochs, kernels, paper, recording, roofs, training
from tinyres.app.bench.layers import layers
from tinyres.app.bench.step import Training
from tinyres.device import to_device
from tinyres.scale.precision import using_products
from tinyres_kernels import products
from tinyres_kernels.gpu import peak

pytestmark = emulator.needs_compiler


# ---- what is called --------------------------------------------------------------------------------------------------


def test_every_kernel_is_met():
    assert {call.kernel for call in correctness.one_of_each()} == set(recording.KERNELS)


def test_recording_leaves_no_trace(card):
    before = {name: getattr(gpu, name) for name in recording.KERNELS}
    with pytest.raises(ZeroDivisionError), recording.recorded(gpu):
        raise ZeroDivisionError
    assert {name: getattr(gpu, name) for name in recording.KERNELS} == before


# ---- correctness -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_kernel_is_right(card):
    section = correctness.Section()
    assert {"relu", "conv2d", "conv2d in tf32", "conv2d_grad_w #2 in bf16"} <= set(section.labels)
    for label in section.labels:
        measured = section.measure(label)
        assert measured["distance"] <= measured["allowed"]


@pytest.mark.parametrize("wrong", [lambda y: y * 1.0001, lambda y: y * np.nan], ids=["a little off", "NaN"])
def test_a_wrong_kernel_is_told(card, monkeypatch, wrong):
    right = gpu.relu
    monkeypatch.setattr(gpu, "relu", lambda x: wrong(right(x)))
    with pytest.raises(correctness.Wrong, match=r"relu: .* from float64, at most 1.0e-05 is allowed"):
        correctness.Section().measure("relu")


@pytest.mark.parametrize("kind", ["tf32", "bf16"])
def test_so_is_another_rounding(card, monkeypatch, kind):
    """float64 gets factors that were not rounded."""
    monkeypatch.setattr(correctness, "rounded", lambda x, kind: x)
    with pytest.raises(correctness.Wrong, match=f"conv2d in {kind}"):
        correctness.Section().measure(f"conv2d in {kind}")


# ---- times -----------------------------------------------------------------------------------------------------------


def test_the_clock_runs_while_the_work_is_done(card, monkeypatch):
    """A graph is launched to warm up, and once for each time; it calls in turns, and nothing is called between."""
    done = []
    monkeypatch.setattr(card.Graph, "launch", lambda graph: done.append("graph"))
    monkeypatch.setattr(card.cuda.Event, "record", lambda self: done.append("clock"))
    monkeypatch.setattr(card.cuda, "get_elapsed_time", lambda begin, end: 6.0)
    taken = clock.kernel_seconds([lambda: done.append("a"), lambda: done.append("b")], repeats=2)
    assert taken == pytest.approx(6e-3 / clock.AT_ONCE)
    assert done == ["a", "b", "a"] * 3 + ["graph"] + ["clock", "graph", "clock"] * 2
    assert clock.step_seconds(lambda count: None, repeats=4) == pytest.approx(6e-3 / 4)


def test_results_stay_until_their_turn_comes_again(card):
    """So that the next call of a turn writes elsewhere."""

    class Result:
        alive = most = 0

        def __init__(self):
            Result.alive += 1
            Result.most = max(Result.most, Result.alive)

        def __del__(self):
            Result.alive -= 1

    clock.kernel_seconds([Result, Result], repeats=1)
    assert (Result.most, Result.alive) == (3, 0)  # two, and the next


def test_copies_lie_as_the_original_does(card, monkeypatch):
    w = to_device(np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3), "cuda").transpose(3, 2, 0, 1)
    call = recording.Call("conv2d", (w, 1))
    few, many = kernels.copies(call, moved=kernels.CACHE // 2), kernels.copies(call, moved=1)
    assert (len(few), len(many)) == (2, clock.AT_ONCE)
    for copy, stride in (made.arguments for made in few):
        assert copy.strides == w.strides and stride == 1
        assert copy.ctypes.data != w.ctypes.data
        np.testing.assert_array_equal(copy, w)


@pytest.mark.parametrize("kind", peak.FLOP_PER_ROUND)
def test_the_roof_does_its_multiply_adds(card, kind):
    """Each of a thread's 8 sums becomes sum·x + x in a round; or, of fragments full of x, 4 sums K·x² more."""
    x = np.full(256, 0.5, np.float32)
    peak.multiply_adds(x, 3, kind)
    K = {"float32": None, "tf32": 8, "bf16": 16}[kind]
    wanted = 8 * (0.5 + 0.25 + 0.125) if K is None else 8 * 4 * 3 * K * 0.25
    np.testing.assert_array_equal(x, np.float32(wanted))
    per_thread = 2 * 8 if K is None else 2 * 8 * 16 * 8 * K / 32
    assert per_thread == peak.FLOP_PER_ROUND[kind]


def test_roofs(card):
    section = roofs.Section(copied=4096, threads=256, rounds=1)
    assert section.labels == ["card", "copy", "float32", "tf32", "bf16"]
    measured = {label: section.measure(label) for label in section.labels}
    assert measured["card"]["name"] == "A Card" and measured["card"]["compute_capability"] == "90"
    assert measured["copy"]["gb_per_s"] > 0 and min(measured[kind]["gflops"] for kind in section.labels[2:]) > 0


@pytest.mark.slow
def test_the_kernels_of_a_step(card, monkeypatch):
    section = kernels.Section("resnet8", batch_size=2, repeats=1)
    convolutions = [label for label in section.labels if label.startswith("conv2d ")]
    rows = [section.measure(label) for label in convolutions if label.endswith("in bf16")]
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    known = layers("resnet8", 2, 1)
    assert sorted((row["count"], row["flop"]) for row in rows) == sorted((row["count"], row["flop"]) for row in known)
    assert {row["kind"] for row in rows} == {"bf16"} and min(row["ms"] for row in rows) > 0
    assert len(convolutions) == 3 * len(known)


@pytest.mark.slow
def test_every_other_kernel_can_be_captured_too(card):
    section = kernels.Section("resnet8", batch_size=2, repeats=1)
    rows = [section.measure(label) for label in section.labels if " in " not in label]
    assert {"add", "batch_norm_track", "cross_entropy", "linear_grad_b"} <= {row["kernel"] for row in rows}
    assert all(row["ms"] > 0 and row["bytes"] > 0 for row in rows)
    assert "batch_norm_values" not in {row["kernel"] for row in rows}


def test_weights_lie_as_in_the_captured_step(card):
    """Their bytes are in the order KH, KW, C, O, so no launch sets them in order."""
    section = kernels.Section("resnet8", batch_size=2, repeats=1)
    weights = [call.arguments[1] for call in section.calls.values() if call.kernel in ("conv2d", "conv2d_grad_x")]
    assert weights and all(w.transpose(2, 3, 1, 0).flags.c_contiguous for w in weights)


def test_bytes_are_those_of_what_goes_in_and_comes_out(card):
    section = kernels.Section("resnet8", batch_size=2, repeats=1)
    label = next(label for label in section.labels if label.startswith("batch_norm_relu "))
    x = 2 * 16 * 32 * 32 * 4
    assert section.measure(label)["bytes"] == 2 * x + 4 * 16 * 4  # x and y; mean, r, gamma, beta
    assert section.measure(label)["flop"] == 0


def test_training(card, monkeypatch):
    """The step is timed, and it uses products of this kind."""
    seen = []

    def step(model, batch_size, device):
        seen.append((model, batch_size, device))
        return SimpleNamespace(step=lambda: seen.append(products.get()))

    monkeypatch.setattr(training, "Training", step)
    section = training.Section(["resnet8"], batch_size=2, repeats=1)
    assert section.labels == [
        f"resnet8 {kind} {way}" for kind in ("float32", "tf32", "bf16") for way in ("ordinary", "captured")
    ]
    row = section.measure("resnet8 tf32 ordinary")
    assert row["images_per_second"] == pytest.approx(2e3 / row["ms"])
    assert (row["model"], row["kind"], row["way"]) == ("resnet8", "tf32", "ordinary")
    assert seen[0] == ("resnet8", 2, "cuda") and set(seen[1:]) == {"tf32"}


def test_the_step_is_on_the_card(card):
    made = Training("resnet8", 2, "cuda")
    assert {tensor.device for tensor in (made.images, made.labels, *made.model.parameters())} == {"cuda:0"}


@pytest.mark.slow
def test_the_captured_step_learns(card, monkeypatch):
    """It makes the requested number of steps, on batches of that size."""
    learnt, original = [], training.CapturedSteps.run
    monkeypatch.setattr(training.CapturedSteps, "run", lambda self, count: learnt.extend(original(self, count)))
    with using_products("bf16"):
        training.captured("resnet8", 2)(2)
    assert [step.images for step in learnt] == [2, 2]
    assert all(np.isfinite(step.loss) for step in learnt)


@pytest.mark.slow
def test_an_epoch_is_all_its_batches(card, monkeypatch):
    """The smaller last one too."""
    learnt, original = [], training.CapturedSteps.run
    monkeypatch.setattr(training.CapturedSteps, "run", lambda self, count: learnt.append(original(self, count)))
    section = epochs.Section(["resnet8"], batch_size=2, images=3)
    assert section.labels == ["resnet8 bf16", "resnet8 tf32", "resnet8 float32"]
    row = section.measure("resnet8 float32")
    assert len(row["epoch_s"]) == 2 and min(row["epoch_s"]) > 0
    assert [[step.images for step in epoch] for epoch in learnt] == [[2, 1]] * 3  # one to warm up


@pytest.mark.slow
def test_one_by_one_the_same_is_launched(card, monkeypatch):
    launched, carried_out = [], emulator.Module.get_function
    monkeypatch.setattr(
        emulator.Module, "get_function", lambda self, name: launched.append(name) or carried_out(self, name)
    )
    steps = training.captured_steps("resnet8", 2, images=2)
    recorded = launched[-len(launched) // 3 :]  # a step is made twice before it is recorded
    steps.begin(0, 0, [0.01])
    launched.clear()
    training.one_by_one(steps)
    assert launched == recorded
    assert {type(counter.data) for counter in steps.counters()} == {np.ndarray}


def test_the_papers_recipe(monkeypatch):
    trained = []
    monkeypatch.setattr(paper.training, "train", lambda *given: trained.append(given) or {"test_accuracy": 0.9})
    section = paper.Section("run", data_dir="somewhere")
    assert section.measure(*section.labels) == {"folder": "run", "test_accuracy": 0.9}
    settings, folder, _ = trained[0]
    assert (settings.recipe, settings.total_steps(352), settings.model) == ("paper", 64_000, "resnet20")
    assert (settings.data, settings.data_dir, settings.device, settings.precision) == (
        "cifar10",
        "somewhere",
        "cuda",
        "tf32",
    )
    assert str(folder) == "run"
