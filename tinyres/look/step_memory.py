"""Computes the memory that a training step needs, before anything large is allocated.

The size of every array of a step is constant, or grows linearly with the batch. So a step with two images and one with
three determine the size of each array for any batch, to the byte.

    parameters, running statistics   the model
    gradients, momentum              of the parameters: `.grad`, and SGD's momentum
    one batch                        images and labels
    saved for backward               at the end of the forward pass: what the ops saved, and the loss
    temporary                        what else exists at the fullest moment, after any op of forward or backward:
                                     outputs and gradients that are still to be used

Memory counts once, even if several arrays are views of it. Gradients count all the time, though zero_grad may free them
for a while. The text under the table lists what does not count, and that is a lot: for ResNet-20 with batches of 128,
195 MiB are counted, and the process holds 412 at its peak. It already held 172 of them after a step with two images;
most of the rest are buffers of sizes that are not needed at that moment (the kernels' memory.py).
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.modes import Observer, observe
from tinyres.nn import Module
from tinyres.nn import functional as F
from tinyres.optim import SGD

WHAT_IS_COUNTED = """\
Counted: every array that an op takes, returns or saves, each piece of memory once.
Not counted: Python and its libraries, memory that a kernel uses internally, buffers
that the compiled kernels keep for the next step, and batches prepared ahead."""


def memory_table(model: Module, input_shape: tuple[int, ...], batch_size: int) -> str:
    """step_memory as a table, with a text that says what is counted."""
    parts = step_memory(model, input_shape, batch_size)
    rows = {**parts, "total": sum(parts.values())}
    title = f"memory of a training step: batches of {batch_size}, SGD with momentum"
    lines = [f"{name:<18}  {size / 2**20:>10,.2f} MiB" for name, size in rows.items()]
    return "\n".join([title, "─" * len(title), *lines, WHAT_IS_COUNTED])


def step_memory(model: Module, input_shape: tuple[int, ...], batch_size: int) -> dict[str, int]:
    """{part: bytes}, in the order above; their sum is the most that exists at once.

    A step of images (C, H, W) with cross-entropy and SGD with momentum. It runs on a copy of the model.
    """
    (held_by_two, alive_in_two), (held_by_three, alive_in_three) = (
        train_step(copy.deepcopy(model), input_shape, images) for images in (2, 3)
    )

    def linearly(of_two: int, of_three: int) -> int:
        return of_two + (batch_size - 2) * (of_three - of_two)

    held = {name: linearly(held_by_two[name], held_by_three[name]) for name in held_by_two}
    fullest = max(map(linearly, alive_in_two, alive_in_three))
    return {**held, "temporary": fullest - held["saved for backward"]}


def train_step(model: Module, input_shape: tuple[int, ...], images: int) -> tuple[dict[str, int], list[int]]:
    """Make a step with black images. -> the bytes of its parts, and those of the ops' arrays alive after each op."""
    model.train()
    optimizer = SGD(model.parameters(), momentum=0.9)
    parameters, statistics = ([tensor.data for tensor in kind] for kind in (model.parameters(), model.buffers()))
    batch = [np.zeros((images, *input_shape), parameters[0].dtype), np.zeros(images, np.int64)]
    alive = Alive(known=[*parameters, *statistics, *batch])
    with observe(alive):
        loss = F.cross_entropy(model(Tensor(batch[0])), batch[1])
        saved = alive.bytes
        loss.backward()
    optimizer.step()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    held = {
        "parameters": total(parameters),
        "running statistics": total(statistics),
        "gradients": total(gradients),
        "momentum": total(optimizer.state_dict().values()),
        "one batch": total(batch),
        "saved for backward": saved,
    }
    return held, alive.after_each_op


class Alive(Observer):
    """Counts the memory of the arrays that it sees, as long as they live.

    known: arrays that do not count; they must outlive self
    """

    def __init__(self, known: Iterable[Array]):
        self.seen = {id(owner(array)) for array in known}
        self.bytes = 0
        self.after_each_op: list[int] = []

    def applied(self, op: Op, y: Tensor) -> None:
        self.see(y.data, *op.saved)

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        self.see(gy, *grads)

    def see(self, *values: Any) -> None:
        for value in values:
            if isinstance(value, np.ndarray):
                self.add(owner(value))
        self.after_each_op.append(self.bytes)

    def add(self, array: Array) -> None:
        if id(array) not in self.seen:
            self.seen.add(id(array))
            self.bytes += array.nbytes
            weakref.finalize(array, self.remove, id(array), array.nbytes)

    def remove(self, key: int, size: int) -> None:
        self.seen.remove(key)
        self.bytes -= size


def owner(array: Array) -> Array:
    """The array that owns the memory: itself, or for a view the array at the end of the chain of views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def total(arrays: Iterable[Array]) -> int:
    return sum(array.nbytes for array in arrays)
