"""The training loop of several ranks: each learns from its rows of every batch, and all have the same weights.

It is the loop of tinyres/train.py with a message in the middle. Each rank multiplies the gradient of its mean loss by
its share of the batch, the fraction of the rows that it has. So the sum over the ranks is the gradient of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from zlib import crc32

import numpy as np

from tinyres.autograd import Tensor
from tinyres.device import to_device
from tinyres.nn import Module
from tinyres.nn import functional as F
from tinyres.optim import Optimizer
from tinyres.optim.lr_scheduler import LRScheduler
from tinyres.random import set_step
from tinyres.scale.parallel import Communicator, FlatGradients, ParallelError, RankLoader, synchronised
from tinyres.scale.parallel.rows import Rows
from tinyres.train import NotFinite, Score, evaluate, is_finite

Batch = tuple[np.ndarray, np.ndarray]  # images (N, C, H, W) and labels (N)


class Team:
    """Two ranks or more that train one network; every rank has a Team with its own copy of the model.

    batch_norm: "sync" normalises with the statistics of the whole batch, "local" with those of the rank's own rows
    stopping:   True when any rank was asked to stop by the end of the last step; the same on all ranks
    """

    def __init__(self, ranks: Communicator, model: Module, batch_norm: str):
        self.ranks, self.model = ranks, model
        self.synchronises = batch_norm == "sync"
        # With "local", the running statistics of each rank follow its own images. All ranks take their average.
        averages = [] if self.synchronises else [b for b in model.buffers() if b.dtype.kind == "f"]
        self.flat = FlatGradients(model.parameters(), averages, numbers=4)
        self.stopping = False

    def train_epoch(
        self,
        optimizer: Optimizer,
        schedule: LRScheduler,
        batches: RankLoader,
        epoch: int,
        start: int = 0,
        label_smoothing: float = 0.0,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Score]:
        """As tinyres.train.train_epoch. All ranks yield the same: the score of the whole batch.

        should_stop: asked in every step, on every rank; the answers are in `stopping`
        """
        self.model.train()
        device = next(self.model.parameters()).device
        for step, (x, y) in enumerate(batches.epoch(epoch, start), start):
            rows = batches.rows(step)
            x, y = at_least_one((x, y))
            images, labels = Tensor(x).to(device), Tensor(y).to(device)
            set_step(epoch, step, rows.start)
            schedule.goto(epoch * len(batches) + step)

            optimizer.zero_grad()
            with self.normalising(rows):
                loss, scores = backpropagate(self.model, images, labels, label_smoothing, rows.share)
            own = Score.of(loss, scores, labels) if rows.share else Score()
            score = self.sum_step(own, rows.share, should_stop())
            if not is_finite(self.model, score.loss):
                raise NotFinite(score.loss)
            optimizer.step()
            yield score

    def normalising(self, rows: Rows) -> AbstractContextManager[None]:
        """Inside, with "sync", batch norm takes these rows for a part of the batch."""
        return synchronised(self.ranks, rows) if self.synchronises else nullcontext()

    def sum_step(self, own: Score, share: float, stops: bool) -> Score:
        """After a backward pass, with one message: make every gradient the sum over the ranks, and find out `stopping`.

        own, share, stops: the score of this rank's rows, their share of the batch, and whether this rank must stop
        Returns the score of the whole batch.
        """
        numbers = own.loss_sum, own.correct, own.images, stops
        loss_sum, correct, images, stopping = self.flat.sum(self.ranks, share, numbers)
        self.stopping = stopping > 0
        return Score(loss_sum, round(correct), round(images))


def backpropagate(
    model: Module, images: Tensor, labels: Tensor, label_smoothing: float, share: float
) -> tuple[float, Tensor]:
    """Give every parameter `share` times the gradient of the mean loss. Returns that loss and the scores (N, K)."""
    scores = model(images)
    loss = F.cross_entropy(scores, labels, label_smoothing=label_smoothing)
    loss.backward(np.asarray(share))
    return loss.item(), scores


def at_least_one(batch: Batch) -> Batch:
    """The batch or, if it has no row for this rank, one black image: the batch norms of the others need its messages.

    The share of such a rank is 0, so nothing is learnt from the image.
    """
    x, y = batch
    return (x, y) if len(y) else (np.zeros((1, *x.shape[1:]), x.dtype), np.zeros(1, y.dtype))


def evaluate_together(model: Module, batches: Iterable[Batch], ranks: Communicator) -> Score:
    """The score of all ranks' images, each rank having its rows of every batch."""
    own = evaluate(model, nonempty(batches))
    sums = np.array([own.loss_sum, own.correct, own.images])
    ranks.sum(sums)
    return Score(float(sums[0]), int(sums[1]), int(sums[2]))


def nonempty(batches: Iterable[Batch]) -> Iterator[Batch]:
    """These batches without those that have no row for this rank."""
    return (batch for batch in batches if len(batch[1]))


def any_rank(ranks: Communicator, flag: bool) -> bool:
    """Is the flag True on any rank?"""
    flags = np.array([flag], np.int64)
    ranks.sum(flags)
    return bool(flags[0])


def expect_equal_weights(ranks: Communicator, model: Module) -> None:
    """ParallelError: a rank's weights are no longer those of the others, bit for bit."""
    digest = 0
    for tensor in (*model.parameters(), *model.buffers()):
        digest = crc32(np.ascontiguousarray(to_device(tensor.data, "cpu")).data, digest)
    expect_equal(ranks, digest, "its weights differ from those of the others: are all machines sound, and alike?")


def expect_equal(ranks: Communicator, number: int, otherwise: str) -> None:
    """ParallelError, on one rank at least, if the ranks do not all pass the same number below 2⁴⁸."""
    total = np.array([number], np.int64)
    ranks.sum(total)
    if int(total[0]) != ranks.size * number:
        raise ParallelError(otherwise)
