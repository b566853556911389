"""tinyres/train.py: a step that can be followed by hand, the loop over an epoch, and the evaluation."""

import math

import numpy as np
import pytest

from tinyres import Tensor, manual_seed, nn, optim
from tinyres.data import Dataset, Loader
from tinyres.nn import functional as F
from tinyres.optim.lr_scheduler import StepLR
from tinyres.random import current_step
from tinyres.train import NotFinite, Score, evaluate, train_epoch, train_step


def test_two_steps_by_hand():
    """One image that is the number 1, two classes, one weight for each class; the label is class 0."""
    model = nn.Linear(1, 2, bias=False).double()
    model.weight.data[...] = 0
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    image, label = Tensor(np.array([[1.0]])), Tensor(np.array([0]))

    # Both scores are 0, so both classes have the probability 1/2, and the loss is -ln(1/2).
    score = train_step(model, optimizer, image, label)
    assert score.loss == pytest.approx(math.log(2))
    # Its gradient is (1/2 - 1, 1/2): the probabilities, less 1 for the right class. The weights move against it.
    assert model.weight.grad.tolist() == [[-0.5], [0.5]]
    assert model.weight.data.tolist() == [[0.5], [-0.5]]

    # Now the scores are 1/2 and -1/2: the right class has the probability 1 / (1 + e⁻¹) = 0.731, and the loss is lower.
    p = 1 / (1 + math.exp(-1))
    score = train_step(model, optimizer, image, label)
    assert score.loss == pytest.approx(-math.log(p)) == pytest.approx(0.3133, abs=1e-4)
    assert model.weight.data[:, 0] == pytest.approx([0.5 + (1 - p), -0.5 - (1 - p)])


# ---- a step ----------------------------------------------------------------------------------------------------------


def test_label_smoothing_is_used():
    model = nn.Linear(1, 2, bias=False).double()
    model.weight.data[...] = [[2.0], [0.0]]
    image, label = Tensor(np.array([[1.0]])), Tensor(np.array([0]))
    score = train_step(model, optim.SGD(model.parameters(), lr=1.0), image, label, label_smoothing=0.2)
    p = 1 / (1 + math.exp(-2))
    assert score.loss == pytest.approx(-0.9 * math.log(p) - 0.1 * math.log(1 - p))


@pytest.mark.parametrize("broken", ["the loss", "a gradient"])
def test_nothing_is_learnt_from_a_broken_batch(broken, monkeypatch):
    model = nn.Linear(2, 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images, labels = Tensor(np.ones((4, 2), np.float32)), Tensor(np.arange(4) % 3)
    train_step(model, optimizer, images, labels)
    before = {name: array.copy() for name, array in {**model.state_dict(), **optimizer.state_dict()}.items()}
    if broken == "the loss":
        images.data[0, 0] = np.inf
    else:  # √0 is 0, but its slope is infinite
        cross_entropy = F.cross_entropy
        root = lambda scores, *others, **how: cross_entropy(scores, *others, **how) + (scores * 0).sum().sqrt()  # noqa: E731
        monkeypatch.setattr(F, "cross_entropy", root)
    with np.errstate(all="ignore"), pytest.raises(NotFinite, match="try a lower learning rate") as error:
        train_step(model, optimizer, images, labels)
    assert math.isfinite(error.value.loss) == (broken == "a gradient")
    for name, array in {**model.state_dict(), **optimizer.state_dict()}.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


# ---- an epoch --------------------------------------------------------------------------------------------------------


def few_images():
    draws = np.random.default_rng(0)
    return Dataset(
        draws.integers(0, 256, (10, 3, 8, 8), dtype=np.uint8), draws.integers(0, 4, 10), tuple("abcd"), "noise"
    )


class Training:
    """A small network with dropout; 10 images make batches of 4, 4 and 2."""

    def __init__(self):
        manual_seed(1)
        self.model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 4)).double()
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = StepLR(self.optimizer, step_size=2)
        self.batches = Loader(few_images(), 4, seed=2, shuffle=True, augment=True, dtype=np.float64)

    def epoch(self, epoch, start=0):
        return train_epoch(self.model, self.optimizer, self.schedule, self.batches, epoch, start)

    def weights(self):
        return self.model[2].weight.data.copy()


def test_an_epoch_makes_a_step_for_every_batch(monkeypatch):
    rates, steps = [], []
    step = optim.SGD.step

    def watched(optimizer):
        rates.append(optimizer.param_groups[0]["lr"])
        steps.append(current_step())
        step(optimizer)

    monkeypatch.setattr(optim.SGD, "step", watched)
    training = Training()
    scores = [score for epoch in range(2) for score in training.epoch(epoch)]
    assert [score.images for score in scores] == [4, 4, 2, 4, 4, 2]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert steps == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]  # by which dropout draws


def test_it_goes_on_in_the_middle_of_an_epoch_with_the_same_bits():
    whole, cut = Training(), Training()
    losses = [score.loss for score in whole.epoch(0)]
    first = next(cut.epoch(0)).loss
    cut.model.eval()  # a validation, say, and other draws
    rest = [score.loss for score in cut.epoch(0, start=1)]
    assert [first, *rest] == losses
    np.testing.assert_array_equal(cut.weights(), whole.weights())


def test_dropout_draws_anew_in_every_step():
    training, kept = Training(), []
    white = Dataset(np.full((10, 3, 8, 8), 255, np.uint8), np.zeros(10, np.int64), tuple("abcd"), "white")
    training.batches = Loader(white, 2, dtype=np.float64)
    training.model[1].register_forward_hook(lambda module, inputs, y: kept.append((y.numpy() != 0).tobytes()))
    for epoch in range(2):
        list(training.epoch(epoch))
    assert len(set(kept)) == len(kept) == 10


# ---- evaluation ------------------------------------------------------------------------------------------------------


def test_evaluation_by_hand():
    """All images count alike, in whatever batches they come; dropout is off, and nothing is recorded for a backward."""
    training = Training()
    batches = Loader(few_images(), 4, dtype=np.float64)
    score = evaluate(training.model, batches.epoch(0))
    assert not training.model.training
    x, y = next(Loader(few_images(), 10, dtype=np.float64).epoch(0))
    scores = x.reshape(10, 192) @ training.weights().T + training.model[2].bias.data
    log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    assert score.loss == pytest.approx(-log_p[np.arange(10), y].mean())
    assert (score.accuracy, score.images) == ((scores.argmax(1) == y).mean(), 10)
    assert training.model[2].weight.grad is None


def test_scores_add_up():
    total = Score()
    total += Score(loss_sum=2.0, correct=1, images=4)
    total += Score(loss_sum=1.0, correct=2, images=2)
    assert (total.loss, total.accuracy) == (0.5, 0.5)
