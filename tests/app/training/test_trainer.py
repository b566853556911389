"""A run's figures are correct, and the test set is used once."""

import re
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from runs import BATCHES, few_shapes, quiet, run, settings, tiny_world  # noqa: F401

import tinyres_kernels.array
from tinyres import Tensor, data, models, no_grad
from tinyres.app.training import Diverged, RunError, RunFolder, checkpoint, divergence, train, trainer
from tinyres.app.training import run as run_module
from tinyres.nn import functional as F
from tinyres.optim import SGD
from tinyres_kernels import products

pytestmark = pytest.mark.usefixtures("tiny_world")


def by_hand(path, dataset):
    """Loss and accuracy of a checkpoint on a data set, in one batch and without the trainer."""
    saved = checkpoint.load(path)
    model = models.build("tiny", 10)
    model.load_state_dict(saved.weights)
    model.eval()
    mean, std = (np.array(saved.about[name])[:, None, None] for name in ("mean", "std"))
    with no_grad():
        scores = model(Tensor(((dataset.images / 255 - mean) / std).astype(np.float32)))
        loss = F.cross_entropy(scores, dataset.labels).item()
    return loss, (scores.data.argmax(1) == dataset.labels).mean()


def test_figures_by_hand(tmp_path):
    folder = run(tmp_path / "run", epochs=5)
    train_set, test_set = few_shapes()
    learn, validation = data.split(train_set, 8, seed=0)
    metrics, result = folder.read_metrics(), folder.read_result()
    assert len(learn) == 72

    last = metrics[-1]
    assert (last["validation_loss"], last["validation_accuracy"]) == pytest.approx(by_hand(folder.last, validation))

    accuracies = [line["validation_accuracy"] for line in metrics]
    assert result["epoch"] == 1 + accuracies.index(max(accuracies))
    assert result["validation_accuracy"] == max(accuracies)
    assert result["validation_accuracy"] == pytest.approx(by_hand(folder.best, validation)[1])

    assert (result["test_loss"], result["test_accuracy"]) == pytest.approx(by_hand(folder.best, test_set))
    assert (result["test_images"], result["epochs"]) == (50, 5)
    mean, std = data.channel_statistics(learn)  # of the training images only, without those of validation and test
    about = checkpoint.load(folder.best).about
    assert (about["mean"], about["std"]) == (mean.tolist(), std.tolist())


def test_training_figures_are_those_of_the_batches(tmp_path, monkeypatch):
    seen, smoothings = [], set()
    cross_entropy = F.cross_entropy

    def watched(scores, labels, **smoothing):
        loss = cross_entropy(scores, labels, **smoothing)
        smoothings.add((scores.requires_grad, smoothing.get("label_smoothing", 0.0)))
        if scores.requires_grad:
            correct = int((scores.data.argmax(1) == labels.data).sum())
            seen.append((loss.item() * len(labels), correct, len(labels)))
        return loss

    monkeypatch.setattr(F, "cross_entropy", watched)
    folder = run(tmp_path / "run", batch_size=32, label_smoothing=0.1)  # 32, 32 and 8: a mean of means would differ
    loss, correct, images = np.array(seen[-BATCHES:]).sum(axis=0)
    line = folder.read_metrics()[-1]
    assert images == 72
    assert smoothings == {(True, 0.1), (False, 0.0)}  # in training only
    assert line["train_loss"] == pytest.approx(loss / 72)
    assert line["train_accuracy"] == correct / 72
    assert line["images_per_second"] == pytest.approx(72 / line["seconds"])
    assert (line["epoch"], line["step"]) == (2, 2 * BATCHES)


def test_it_learns(tmp_path):
    losses = [line["train_loss"] for line in run(tmp_path / "run", epochs=25, lr=0.1).read_metrics()]
    guessing = np.log(10)  # the loss when all ten classes are equally likely
    assert losses[-1] < guessing - 0.2 < losses[0]


def test_the_test_set_is_looked_at_once_at_the_end(tmp_path, monkeypatch):
    looks = []
    _, test_set = few_shapes()

    def watched(self, *arguments, **settings):
        if self.dataset.images is test_set.images:
            looks.append(len(RunFolder(tmp_path / "run").read_metrics()))
        return epoch(self, *arguments, **settings)

    epoch = data.Loader.epoch
    monkeypatch.setattr(data.Loader, "epoch", watched)
    run(tmp_path / "run", epochs=3)
    assert looks == [3]


def test_a_seed_names_a_run_and_another_seed_another(tmp_path):
    first, again, other = (
        checkpoint.load(run(tmp_path / name, seed=seed).last).weights
        for name, seed in (("first", 7), ("again", 7), ("other", 8))
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["0.weight"], other["0.weight"])


def test_every_learning_rate_and_step(tmp_path, monkeypatch):
    rates = []
    step = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self)))
    folder = run(tmp_path / "run", recipe="paper", epochs=None, steps=8)
    assert rates == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2)
    lines = folder.read_metrics()
    assert [line["step"] for line in lines] == [3, 6, 8]  # the last epoch ends early
    assert checkpoint.load(folder.last).about["step"] == 8
    assert [line["lr"] for line in lines] == pytest.approx([0.1, 0.01, 0.001])


def test_float64(tmp_path):
    folder = run(tmp_path / "run", precision="float64")
    assert {a.dtype for a in checkpoint.load(folder.best).weights.values()} == {np.dtype("f8"), np.dtype("i8")}


def test_limit_batches_is_for_all_three_sets(tmp_path):
    folder = run(tmp_path / "run", batch_size=4, limit_batches=1)
    assert folder.read_result()["test_images"] == 4
    assert folder.read_metrics()[-1]["step"] == 2


@pytest.mark.parametrize(("every", "drawn"), [(0, [1, 2, 3]), (1000, [3])])
def test_curves_are_drawn_now_and_then_and_at_the_end(every, drawn, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(trainer, "DRAW_EVERY", every)
    monkeypatch.setattr(trainer, "draw_curves", lambda metrics, *others: lines.append(len(metrics)))
    run(tmp_path / "run", epochs=3)
    assert lines == drawn


def test_diverged(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(Diverged) as error:
        train(settings(lr=1e30, schedule="constant"), folder, quiet())
    assert folder.read_result() is None
    said = str(error.value)
    assert re.match(
        r"training diverged: the loss is (nan|inf) in epoch 1, after 1 steps, at learning rate 1e\+30", said
    )
    assert re.search(r"losses before +2\.\d+$", said, re.MULTILINE)  # about ln 10: it has learnt nothing yet
    assert re.search(r"largest weight +[\d.]+e\+29, in 6.weight$", said, re.MULTILINE)
    assert "once more, op by op: forward of Linear: the first NaN or Inf began here" in said
    assert re.search(r"layer +6 of Sequential$", said, re.MULTILINE)
    assert said.splitlines()[-1].endswith(
        "with a lower learning rate, such as --lr 0.1, or with one that begins low and rises: --schedule onecycle"
    )


def test_diverged_in_backward_is_found_before_it_gets_into_the_weights(tmp_path, monkeypatch):
    """In the third step the loss is finite, but a gradient is not. The two losses before it are fine."""
    cross_entropy, losses = F.cross_entropy, []

    def root(scores, labels, **smoothing):
        loss = cross_entropy(scores, labels, **smoothing)
        if not scores.requires_grad:
            return loss
        losses.append(loss.item())
        return loss if len(losses) < 3 else loss + (scores * 0).sum().sqrt()  # the slope of √x at 0 is infinite

    monkeypatch.setattr(F, "cross_entropy", root)
    with pytest.raises(Diverged) as error:
        run(tmp_path / "run", lr=0.05)
    said = str(error.value)
    assert f"the loss is {losses[2]:.4g} in epoch 1, after 2 steps" in said
    assert f"losses before     {losses[0]:.4g}, {losses[1]:.4g}\n" in said
    assert "largest gradient  NaN or Inf, in 5 of 5 parameters; the first is 0.weight" in said
    assert "once more, op by op: backward of Sqrt: the first NaN or Inf began here" in said
    assert re.search(r"largest weight +0\.\d+, in", said)
    assert said.endswith("such as --lr 0.005")  # the schedule is onecycle already
    assert losses[3] == losses[2]  # the repeated step has the same pixels and the same dropout


def test_diverged_in_the_last_step_so_that_only_validation_shows_it(tmp_path):
    with pytest.raises(Diverged) as error:
        run(tmp_path / "run", lr=1e30, schedule="constant", limit_batches=1)
    said = str(error.value)
    assert re.match(r"training diverged: the loss is (nan|inf) in epoch 1, after 1 steps", said)
    assert "once more, op by op: forward of " in said


def test_a_divergence_that_does_not_happen_again():
    model = models.build("tiny", 10)
    said = divergence.findings(model, [], repeat=lambda: None)
    assert "losses before     none\n" in said and "largest gradient  none\n" in said
    assert said.endswith("once more, op by op: all is finite this time")


def test_two_pictures_are_the_least(monkeypatch, tmp_path):
    train_set, test_set = few_shapes()
    monkeypatch.setattr(data, "load", lambda *arguments, **settings: (train_set.take([0]), test_set))
    with pytest.raises(RunError, match="at least 2 training images"):
        train(settings(), RunFolder(tmp_path / "run"), quiet())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("precision", ["tf32", "bf16", "float32"])
def test_products_are_rounded_in_training_and_in_tests(precision, tmp_path, monkeypatch):
    """Nothing else is: weights, statistics and momenta are float32. (The GPU is a stand-in.)"""
    cupy = SimpleNamespace(asarray=lambda array: array, cuda=SimpleNamespace(Device=nullcontext))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    seen = []

    def conv2d(*arguments):
        seen.append((products.get(), arguments[0].dtype))
        return original(*arguments)

    original = tinyres_kernels.array.conv2d
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    monkeypatch.setattr(tinyres_kernels.array, "conv2d", conv2d)
    folder = run(tmp_path / "run", epochs=1, device="cuda", precision=precision)
    assert len(seen) > BATCHES + 1 and set(seen) == {(precision, np.dtype(np.float32))}
    saved = checkpoint.load(folder.last)
    arrays = [a for a in (*saved.weights.values(), *saved.optimizer.values()) if a.dtype.kind == "f"]
    assert {a.dtype for a in arrays if a.ndim} == {np.dtype(np.float32)}
    seen.clear()
    run_module.evaluate_run(folder, folder.read_config()["settings"])
    assert {kind for kind, _ in seen} == {precision}
    assert products.get() == "float32"
