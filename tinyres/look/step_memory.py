"""What a training step needs in memory, known before anything large is allocated.

Every array of a step keeps its size whatever the batch, or grows with it in a straight line. So a step with two images
and one with three tell the size of each array for any batch, to the byte.

    parameters, running statistics   the model
    gradients, momentum              of the parameters: `.grad`, and what SGD remembers
    one batch                        images and labels
    saved for backward               what is there when the forward pass is done: what the ops saved, and the loss
    under way                        what is there besides at the fullest moment, after whichever op, forward or
                                     backward: outputs and gradients that are still to be used

A piece of memory counts once, however many arrays are views of it. Gradients count throughout, though zero_grad may
have freed them for a while. What is not counted is said under the table, and it is not little: for ResNet-20 with
batches of 128, 195 MiB are counted, and the process holds 412 at its peak. 172 of them it held already after a step
with two images; most of the rest are buffers of sizes that are not wanted at that moment (the kernels' memory.py).
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
Not counted: Python and its libraries, what a kernel needs only inside, the buffers
that the compiled kernels keep for the next step, and batches prepared ahead."""


def memory_table(model: Module, input_shape: tuple[int, ...], batch_size: int) -> str:
    """step_memory as text, and what it counts."""
    parts = step_memory(model, input_shape, batch_size)
    rows = {**parts, "together": sum(parts.values())}
    title = f"memory of a training step: batches of {batch_size}, SGD with momentum"
    lines = [f"{name:<18}  {size / 2**20:>10,.2f} MiB" for name, size in rows.items()]
    return "\n".join([title, "─" * len(title), *lines, WHAT_IS_COUNTED])


def step_memory(model: Module, input_shape: tuple[int, ...], batch_size: int) -> dict[str, int]:
    """{what for: bytes}, in the order above; the sum is the most that is there at once.

    A step of images (C, H, W) with cross-entropy and SGD with momentum. It runs on a copy: the model stays as it is.
    """
    (held_by_two, alive_in_two), (held_by_three, alive_in_three) = (
        train_step(copy.deepcopy(model), input_shape, images) for images in (2, 3)
    )

    def in_a_line(of_two: int, of_three: int) -> int:
        return of_two + (batch_size - 2) * (of_three - of_two)

    held = {name: in_a_line(held_by_two[name], held_by_three[name]) for name in held_by_two}
    fullest = max(map(in_a_line, alive_in_two, alive_in_three))
    return {**held, "under way": fullest - held["saved for backward"]}


def train_step(model: Module, input_shape: tuple[int, ...], images: int) -> tuple[dict[str, int], list[int]]:
    """Make a step with so many black images: the bytes it holds, and those of the ops' arrays alive after each op."""
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
    """Counts the memory of the arrays that it meets, until they are gone.

    known: arrays that are not counted; they must outlive self
    """

    def __init__(self, known: Iterable[Array]):
        self.met = {id(owner(array)) for array in known}
        self.bytes = 0
        self.after_each_op: list[int] = []

    def applied(self, op: Op, y: Tensor) -> None:
        self.look_at(y.data, *op.saved)

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        self.look_at(gy, *grads)

    def look_at(self, *values: Any) -> None:
        for value in values:
            if isinstance(value, np.ndarray):
                self.meet(owner(value))
        self.after_each_op.append(self.bytes)

    def meet(self, array: Array) -> None:
        if id(array) not in self.met:
            self.met.add(id(array))
            self.bytes += array.nbytes
            weakref.finalize(array, self.part_from, id(array), array.nbytes)

    def part_from(self, key: int, size: int) -> None:
        self.met.remove(key)
        self.bytes -= size


def owner(array: Array) -> Array:
    """The array that a view is of, at the end of it all; for one that is no view, itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def total(arrays: Iterable[Array]) -> int:
    return sum(array.nbytes for array in arrays)
