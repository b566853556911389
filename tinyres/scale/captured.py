"""Training steps on a GPU, each of them one launch: batch, forward, backward and SGD recorded as a CUDA graph.

An ordinary step asks the host for the images of its batch and for the learning rate, and it tells the host the loss.
A recorded step cannot. So the whole data set and all that the host decides for an epoch are put on the device before
it begins. The results are written into tables there, which the host reads after up to REPORT_EVERY steps.

    tables in        draws (batches, batch_size, 4): which images make a batch, and their crops; rates (batches)
    tables out       loss_of, correct_of (batches)
    state            the number of the next step, and whether a loss or a gradient was NaN or Inf: see gpu/sgd.cu

Weights, momenta and running statistics stay where they are. recordable.py says what a graph can repeat; ResNet-20
with batches of 128 is 196 launches, which take an H100 1.2 ms in bf16.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from tinyres.autograd import Array, Node, Tensor
from tinyres.data import Loader
from tinyres.device import to_device
from tinyres.modes import observe
from tinyres.nn import Module
from tinyres.ops.cross_entropy import CrossEntropy
from tinyres.optim import Optimizer
from tinyres.optim.lr_scheduler import LRScheduler
from tinyres.scale.gpus import recorder_on
from tinyres.scale.recordable import RefuseOthers, gradient_of, refuse_other_work, settings_of
from tinyres.scale.tables import table_of_draws, table_of_pixels
from tinyres.train import NotFinite, Score
from tinyres_kernels.gpu import sgd
from tinyres_kernels.gpu.augment import augment
from tinyres_kernels.gpu.graph import Graph
from tinyres_kernels.gpu.tally import tally

REPORT_EVERY = 50  # steps; then the host waits for them and reads their results


class Recorded(NamedTuple):
    """The step for one batch size, whose graph keeps the gradients, and the arrays that it reads."""

    graph: Graph
    shares: Array
    pages: tuple[Array, ...]


class CapturedSteps:
    """The steps of SGD on a loader's batches, for a model that is on a GPU.

    The parameters are moved into one array and their momenta into another; both can be used as before.
    NotRecordable: these steps cannot be recorded; nothing has changed, and ordinary steps will do.
    """

    def __init__(self, model: Module, optimizer: Optimizer, loader: Loader, label_smoothing: float):
        self.model, self.loader, self.label_smoothing = model, loader, label_smoothing
        self.settings = settings_of(optimizer)
        refuse_other_work(model, loader)
        self.parameters = list(model.parameters())
        self.device = self.parameters[0].device
        self.recorder = recorder_on(self.device)
        self.recorded: dict[int, Recorded] = {}
        self.broken_loss: float | None = None
        self.draws_of = lru_cache(maxsize=2)(partial(table_of_draws, loader))  # this epoch's and the next one's
        model.train()
        with self.recorder.here():
            self.lay_side_by_side(optimizer)
            self.make_tables()
        self.record(self.images_in(0))
        for counter in self.counters():
            counter.data = to_device(counter.data, "cpu")  # run() counts

    def lay_side_by_side(self, optimizer: Optimizer) -> None:
        """Give every parameter, and its momentum, its place in one array of all."""
        shapes = [parameter.shape for parameter in self.parameters]
        pages = sgd.pages_of(shapes)
        like = self.parameters[0].data
        self.w, self.v = (np.zeros_like(like, shape=(pages, sgd.PAGE)) for _ in range(2))
        places = zip(self.parameters, sgd.views(self.w, shapes), sgd.views(self.v, shapes), strict=True)
        for parameter, w, v in places:
            w[...] = parameter.data
            parameter.data = w
            if self.settings["momentum"]:
                state = optimizer.state.setdefault(parameter, {})
                v[...] = state.get("momentum", 0)
                state["momentum"] = v

    def make_tables(self) -> None:
        dataset, steps, size = self.loader.dataset, len(self.loader), self.loader.batch_size
        self.images, self.labels = self.on_device(dataset.images), self.on_device(dataset.labels.astype(np.int32))
        self.pixels = self.on_device(table_of_pixels(self.loader))
        self.draws = self.on_device(np.zeros((steps, size, 4), np.int32))
        self.rates = self.on_device(np.zeros(steps, self.w.dtype))
        self.loss_of, self.correct_of = self.on_device(np.zeros(steps)), self.on_device(np.zeros(steps, np.int32))
        self.state = self.on_device(np.zeros(2, np.int32))

    def on_device(self, array: np.ndarray) -> Array:
        return to_device(array, self.device)

    # ---- an epoch ----------------------------------------------------------------------------------------------------

    def train_epoch(self, schedule: LRScheduler, epoch: int, start: int, stop: int) -> Iterator[list[Score]]:
        """As tinyres.train.train_epoch, for the batches start, …, stop − 1. Yields the scores of several at a time.

        NotFinite comes after the scores of the steps before it. All parameters are as they were before the broken step.
        """
        rates = []
        for step in range(stop):
            schedule.goto(epoch * len(self.loader) + step)
            rates.append(schedule.get_last_lr()[0])
        self.model.train()
        self.begin(epoch, start, rates)
        for first in range(start, stop, REPORT_EVERY):
            if scores := self.run(min(REPORT_EVERY, stop - first)):
                yield scores
            if self.broken_loss is not None:
                raise NotFinite(self.broken_loss)

    def begin(self, epoch: int, first: int, rates: list[float]) -> None:
        """Prepare an epoch, from step `first` on. rates: the learning rate of each of its steps."""
        with self.recorder.here():
            self.draws[...] = self.on_device(self.draws_of(epoch))
            self.rates[: len(rates)] = self.on_device(np.array(rates, self.w.dtype))
            self.state[...] = self.on_device(np.array([first, 0], np.int32))
        self.epoch, self.step = epoch, first

    def run(self, count: int) -> list[Score]:
        """Make the next `count` steps and return their scores.

        If a step is broken, only the scores before it are returned. `broken_loss` is then its loss (else None), and the
        parameters have its gradients.
        """
        sizes = [self.images_in(step) for step in range(self.step, self.step + count)]
        for size in sizes:
            if size not in self.recorded:
                self.record(size)
        with self.recorder.here():
            for size in sizes:
                self.recorded[size].graph.launch()
            self.draws_of(self.epoch + 1)  # while the GPU works: they take the host 44 ms for CIFAR
        done = int(to_device(self.state, "cpu")[0]) - self.step
        losses, correct = (to_device(a, "cpu")[self.step :] for a in (self.loss_of, self.correct_of))
        self.broken_loss = None
        if done < count:
            self.broken_loss = float(losses[done])
            for parameter, gradient in zip(self.parameters, self.recorded[sizes[done]].graph.kept, strict=True):
                parameter.grad = gradient.copy()
        self.step += done
        for counter, in_a_step in zip(self.counters(), self.counted, strict=True):
            counter.data += done * in_a_step
        return [Score(float(losses[k]) * sizes[k], int(correct[k]), sizes[k]) for k in range(done)]

    def images_in(self, step: int) -> int:
        return min(self.loader.batch_size, len(self.loader.dataset) - step * self.loader.batch_size)

    # ---- recording ---------------------------------------------------------------------------------------------------

    def record(self, size: int) -> None:
        """Record the step for batches of this size. It must run once before, to warm up; that is undone.

        The state says "broken" meanwhile, so nothing is learnt. The running statistics are put back by hand.
        """
        shapes = [parameter.shape for parameter in self.parameters]
        with self.recorder.here(), self.undone():
            pages = tuple(self.on_device(np.zeros(sgd.pages_of(shapes), kind)) for kind in (np.int64, np.int32))
            shares = np.full_like(self.w, 1 / size, shape=(size,))  # the weight of each image's loss in their mean
            with observe(RefuseOthers()):
                graph = self.recorder.record(lambda: self.one_step(size, shares, *pages))
            for table, values in zip(pages, sgd.page_table(graph.kept), strict=True):
                table[...] = self.on_device(values)
            self.counted = [int(counter.data) for counter in self.counters()]  # 2 where a layer is used twice
        self.recorded[size] = Recorded(graph, shares, pages)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Inside, no step is counted and nothing is learnt. Whatever changes all the same is put back at the end."""
        kept = [(tensor, tensor.data, tensor.data.copy()) for tensor in self.model.buffers()]
        nodes = [parameter.node for parameter in self.parameters]
        state = self.state.copy()
        self.state[1] = 1
        try:
            yield
        finally:
            for tensor, data, values in kept:
                tensor.data = data
                data[...] = values
            for parameter, node in zip(self.parameters, nodes, strict=True):
                parameter.node = node
            self.state[...] = state

    def one_step(self, size: int, shares: Array, pages: Array, counts: Array) -> list[Array]:
        """Returns the gradients."""
        for parameter in self.parameters:
            parameter.node = Leaf()
        for counter in self.counters():
            counter.data = np.array(0)  # on the host, for a graph cannot count
        images, labels = augment(self.images, self.labels, self.draws, self.pixels, self.state, size)
        scores = self.model(Tensor(images))
        losses = CrossEntropy(labels, self.label_smoothing)(scores)
        tally(scores.data, labels, losses.data, self.state, self.loss_of, self.correct_of)
        losses.backward(shares)
        sgd.step(pages, counts, self.rates, self.state, self.w, self.v, **self.settings)
        return [gradient_of(parameter) for parameter in self.parameters]

    def counters(self) -> Iterator[Tensor]:
        """num_batches_tracked of every batch norm."""
        return (buffer for buffer in self.model.buffers() if buffer.dtype.kind == "i")


class Leaf(Node):
    """A parameter's node that keeps the array which backward hands it, and no copy: every replay writes into it."""

    def receive(self, gy: Array) -> Array:
        self.grad = gy
        return gy
