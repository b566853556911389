"""Arrays that were changed between forward and backward, though an op had saved them for its gradient.

An op saves its inputs or its output as they are, not a copy: that would cost the memory a second time. So
`x.data += 1` between forward and backward also changes what backward will compute with, and the gradient is wrong
without a word. Here a checksum of every saved array is taken after forward, and again before backward. (Not every
array is needed by every gradient: 2·x keeps x, and does not miss it. That a change was harmless cannot be seen.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary
from zlib import crc32

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.device import is_array, to_device
from tinyres.look.anomaly.origin import Origin, origin
from tinyres.look.anomaly.report import AnomalyError, named_input
from tinyres.modes import Observer


class Saved(NamedTuple):
    """What is remembered of an op: where it was asked for, and of each array that it holds."""

    origin: Origin
    checksums: dict[str, int]  # by where the array is: "saved[0]"
    also: dict[str, str]  # what it is besides: "input 1, a Parameter"


class SavedArrays(Observer):
    """Raises AnomalyError where an array that an op saved is no longer what it was, before its backward uses it."""

    def __init__(self) -> None:
        self.inputs: tuple[Tensor, ...] = ()
        self.saved: WeakKeyDictionary[Op, Saved] = WeakKeyDictionary()

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        self.inputs = inputs

    def applied(self, op: Op, y: Tensor) -> None:
        inputs, self.inputs = self.inputs, ()
        if any(op.needs):
            held = dict(arrays_of(op))
            checksums = {where: checksum(array) for where, array in held.items()}
            also = {where: role(array, inputs, y) for where, array in held.items()}
            self.saved[op] = Saved(origin(), checksums, also)

    def sweeping(self, op: Op, gy: Array) -> None:
        if op not in self.saved:  # applied before we were there
            return
        then, now = self.saved[op], dict(arrays_of(op))
        for where, before in then.checksums.items():
            if where not in now or checksum(now[where]) != before:
                raise AnomalyError(
                    f"{op.name}: an array that it saved was changed between forward and backward; "
                    "a gradient computed with it would be wrong",
                    self._details(then, where, now.get(where)),
                )

    def _details(self, then: Saved, where: str, array: Array | None) -> Iterator[tuple[str, str]]:
        looks = f", {array.dtype} {array.shape}" if array is not None else ""
        yield "array", f"{where}{looks}{then.also[where]}"
        yield from then.origin.details()
        yield "instead", "make a new array, x.data = x.data + 1 and not x.data += 1; or hand the op a copy"
        if "Parameter" in then.also[where]:
            yield "", "(optimizer.step() and load_state_dict() write in place: call them after backward)"


def arrays_of(op: Op) -> Iterator[tuple[str, Array]]:
    """Every array that op holds, by the way to it: ("saved[0]", …). Most are in `saved`, some beside it."""
    for name, value in vars(op).items():
        yield from _within(name, value)


def _within(where: str, value: Any) -> Iterator[tuple[str, Array]]:
    if is_array(value):
        yield where, value
    elif isinstance(value, (tuple, list)):
        for i, part in enumerate(value):
            yield from _within(f"{where}[{i}]", part)


def role(array: Array, inputs: tuple[Tensor, ...], y: Tensor) -> str:
    """Whose memory an op's array shares."""
    for i, x in enumerate(inputs):
        if np.may_share_memory(array, x.data):
            return f", which is the op's {named_input(i, x)}"
    return ", which is the op's output" if np.may_share_memory(array, y.data) else ""


def checksum(array: Array) -> int:
    """Of the bytes, in the order in which they lie in memory: NHWC need not be copied for it."""
    return crc32(to_device(array, "cpu").ravel(order="K").view(np.uint8))
