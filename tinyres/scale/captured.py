"""Training steps on a GPU, each of them one launch: forward, backward and SGD recorded as a CUDA graph.

What the ordinary step asks the host for must be on the device before, in tables for the whole epoch: which pictures
make a batch and how they are cropped, the learning rates; and what the host wants to know is written into tables
there, and read now and then. What a step learns stays where it is: weights, momenta, running statistics.

    tables in        draws (batches, batch_size, 4), rates (batches)
    tables out       loss_of, correct_of (batches)
    state            which step of the epoch it is; and whether a loss or a gradient was NaN or Inf: see gpu/sgd.cu

A graph repeats the launches of our kernels (252 for ResNet-20 with batches of 128), and nothing else that happened
while it was recorded. So the ops of a model must consist of such launches alone, and it is asked which ops it has
(RECORDABLE). Not yet measured on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from tinyres.autograd import Array, Node, Op, Tensor
from tinyres.data import Loader
from tinyres.device import kernels_for, to_device
from tinyres.modes import Observer, observe
from tinyres.nn import Module
from tinyres.ops.add import Add
from tinyres.ops.conv2d import Conv2d
from tinyres.ops.cross_entropy import CrossEntropy
from tinyres.ops.slice import Slice, as_ranges
from tinyres.optim import SGD, Optimizer
from tinyres.scale.gpus import recorder_on
from tinyres.scale.tables import table_of_draws, table_of_pixels
from tinyres_kernels.gpu import sgd
from tinyres_kernels.gpu.augment import augment
from tinyres_kernels.gpu.graph import Graph
from tinyres_kernels.gpu.launch import MOST_NUMBERS
from tinyres_kernels.gpu.tally import tally

RECORDABLE = {"Add", "AvgPool2d", "BatchNorm", "BatchNormAddReLU", "BatchNormReLU", "Conv2d", "CrossEntropy", "Linear"}
RECORDABLE |= {"MaxPool2d", "Pad", "ReLU", "Reshape", "Slice"}


class NotRecordable(Exception):
    """This training has something that a graph could not repeat."""


class Learnt(NamedTuple):
    """What a step leaves to be known: the mean loss before it, and how many of its images were named right."""

    loss: float
    correct: int
    images: int


class Recorded(NamedTuple):
    """The step of a batch of one size, and the memory that it reads or writes and that would else be nobody's."""

    graph: Graph
    gradients: list[Array]
    shares: Array
    pages: tuple[Array, ...]


class CapturedSteps:
    """The steps of SGD on a loader's batches, for a model that is on a GPU.

    The parameters' arrays are moved into one, and so is what the optimiser remembers; both stay usable as before.
    NotRecordable: let the ordinary step do it.
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
        with self.recorder.here():
            self.lay_side_by_side(optimizer)
            self.make_tables()
        try:
            self.record(self.images_in(0))
        except NotRecordable:
            for parameter in self.parameters:
                parameter.node = Node()
            raise

    def lay_side_by_side(self, optimizer: Optimizer) -> None:
        """Give every parameter, and its momentum, its place in one array of all."""
        shapes = [parameter.shape for parameter in self.parameters]
        pages = sgd.pages_of(shapes)
        like = self.parameters[0].data
        self.w, self.v = (np.zeros_like(like, shape=(pages, sgd.PAGE)) for _ in range(2))
        places = zip(self.parameters, sgd.views(self.w, shapes), sgd.views(self.v, shapes), strict=True)
        for parameter, w, v in places:
            w[...] = parameter.data
            parameter.data, parameter.node = w, Leaf()
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

    def begin(self, epoch: int, first: int, rates: list[float]) -> None:
        """Make ready for an epoch, from step `first` on. rates: the learning rate of each of its steps."""
        with self.recorder.here():
            self.draws[...] = self.on_device(table_of_draws(self.loader, epoch))
            self.rates[: len(rates)] = self.on_device(np.array(rates, self.w.dtype))
            self.state[...] = self.on_device(np.array([first, 0], np.int32))
        self.step = first

    def run(self, count: int) -> list[Learnt]:
        """Make the next so many steps. Fewer come back if one is broken: then `broken_loss` is its loss, not None, and
        the parameters' gradients are those it came to."""
        sizes = [self.images_in(step) for step in range(self.step, self.step + count)]
        for size in sizes:
            if size not in self.recorded:
                self.record(size)
        with self.recorder.here():
            for size in sizes:
                self.recorded[size].graph.launch()
        done = int(to_device(self.state, "cpu")[0]) - self.step
        losses, correct = (to_device(a, "cpu")[self.step :] for a in (self.loss_of, self.correct_of))
        self.broken_loss = None
        if done < count:
            self.broken_loss = float(losses[done])
            for parameter, gradient in zip(self.parameters, self.recorded[sizes[done]].gradients, strict=True):
                parameter.grad = gradient
        self.step += done
        for counter in self.counters():
            counter.data += done
        return [Learnt(float(losses[k]), int(correct[k]), sizes[k]) for k in range(done)]

    def images_in(self, step: int) -> int:
        return min(self.loader.batch_size, len(self.loader.dataset) - step * self.loader.batch_size)

    # ---- recording ---------------------------------------------------------------------------------------------------

    def record(self, size: int) -> None:
        """Record the step of a batch of that size. What must run before, to warm up, is undone.

        The state is broken meanwhile, so nothing is learnt; the running statistics are put back by hand.
        """
        shapes = [parameter.shape for parameter in self.parameters]
        with self.recorder.here(), self.undone():
            pages = tuple(self.on_device(np.zeros(sgd.pages_of(shapes), kind)) for kind in (np.int64, np.int32))
            shares = np.full_like(self.w, 1 / size, shape=(size,))  # of each loss in their mean
            with observe(RefuseOthers()):
                graph = self.recorder.record(lambda: self.one_step(size, shares, *pages))
            gradients = [in_the_order_of(parameter) for parameter in self.parameters]
            for table, values in zip(pages, sgd.page_table(gradients), strict=True):
                table[...] = self.on_device(values)
        self.recorded[size] = Recorded(graph, gradients, shares, pages)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Inside, no step is counted and nothing learnt; and what changes all the same is put back at the end."""
        kept = [(tensor, tensor.data, tensor.data.copy()) for tensor in self.model.buffers()]
        state = self.state.copy()
        for counter in self.counters():
            counter.data = np.array(0)  # on the host: run() counts
        self.state[1] = 1
        try:
            yield
        finally:
            for tensor, data, values in kept:
                tensor.data = data
                data[...] = values
            self.state[...] = state

    def one_step(self, size: int, shares: Array, pages: Array, counts: Array) -> None:
        for parameter in self.parameters:
            parameter.grad = None
        images, labels = augment(self.images, self.labels, self.draws, self.pixels, self.state, size)
        scores = self.model(Tensor(images))
        losses = CrossEntropy(labels, self.label_smoothing)(scores)
        tally(scores.data, labels, losses.data, self.state, self.loss_of, self.correct_of)
        losses.backward(shares)
        sgd.step(pages, counts, self.rates, self.state, self.w, self.v, **self.settings)

    def counters(self) -> Iterator[Tensor]:
        """num_batches_tracked of every batch norm."""
        return (buffer for buffer in self.model.buffers() if buffer.dtype.kind == "i")


class Leaf(Node):
    """A parameter's node that keeps the very array which backward hands it, and not a copy: each replay fills it."""

    def receive(self, gy: Array) -> Array:
        self.grad = gy
        return gy


class RefuseOthers(Observer):
    """NotRecordable, as soon as an op runs that is more than launches of our kernels."""

    def applied(self, op: Op, y: Tensor) -> None:
        shapes = {x.shape for x in op.inputs}
        if (
            op.name not in RECORDABLE
            or (isinstance(op, Conv2d) and len(op.inputs) == 3)  # with a bias
            or (isinstance(op, Add) and len(shapes) == 2)  # that broadcasts
            or (isinstance(op, Slice) and as_ranges(op.index, op.inputs[0].shape) is None)
        ):
            raise NotRecordable(f"{op.name} of {' and '.join(map(str, shapes))}")


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """What sgd.step asks for. NotRecordable: it is not SGD, or has several groups."""
    if type(optimizer) is not SGD or len(optimizer.param_groups) != 1:
        raise NotRecordable(f"the optimiser {type(optimizer).__name__}, {len(optimizer.param_groups)} groups")
    group = optimizer.param_groups[0]
    return {"momentum": group["momentum"], "decay": group["weight_decay"], "nesterov": group["nesterov"]}


def refuse_other_work(model: Module, loader: Loader) -> None:
    """NotRecordable: something here is not done by launches of our kernels, or is too large for them."""
    if kernels_for(next(model.parameters()).data).__name__ != "tinyres_kernels.gpu":
        raise NotRecordable("other kernels than those of the rung gpu")
    if any(getattr(module, "momentum", 0.0) is None for module in model.modules()):
        raise NotRecordable("a batch norm whose momentum changes from batch to batch")
    if loader.dataset.images.size > MOST_NUMBERS:
        raise NotRecordable(f"a data set of more than {MOST_NUMBERS:,} bytes")


def in_the_order_of(parameter: Tensor) -> Array:
    """The parameter's gradient. NotRecordable: its numbers lie in another order than the parameter's."""
    gradient = parameter.grad
    if gradient is None or order_of(gradient) != order_of(parameter.data):
        raise NotRecordable(f"a parameter {parameter.shape} whose gradient lies in another order, or is missing")
    return gradient


def order_of(array: Array) -> list[int]:
    """How far apart neighbours lie along each axis that has any."""
    return [stride for length, stride in zip(array.shape, array.strides, strict=True) if length > 1]
