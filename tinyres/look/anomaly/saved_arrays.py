"""Finds arrays that an op saved for its gradient and that were changed between forward and backward.

An op saves its inputs or its output without a copy, which would need the memory twice. So `x.data += 1` between forward
and backward also changes what backward computes with, and the gradient is wrong without any message. Here a checksum of
every saved array is taken after forward, and compared before backward. (Not every gradient needs every saved array: the
gradient of 2·x does not use x. So a change may be harmless, which cannot be seen here.)
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
    """The origin of an op, and for each array that it holds a checksum and a role."""

    origin: Origin
    checksums: dict[str, int]  # by where the array is: "saved[0]"
    also: dict[str, str]  # the array's role: "input 1, a Parameter"


class SavedArrays(Observer):
    """Raises AnomalyError if an array that an op saved has changed when its backward begins."""

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
        if op not in self.saved:  # applied before detect_anomaly began
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
        yield "instead", "make a new array with x.data = x.data + 1 instead of x.data += 1; or give the op a copy"
        if "Parameter" in then.also[where]:
            yield "", "(optimizer.step() and load_state_dict() write in place: call them after backward)"


def arrays_of(op: Op) -> Iterator[tuple[str, Array]]:
    """(path, array) of every array that op holds, such as ("saved[0]", …). Most are in `saved`, some elsewhere."""
    for name, value in vars(op).items():
        yield from _within(name, value)


def _within(where: str, value: Any) -> Iterator[tuple[str, Array]]:
    if is_array(value):
        yield where, value
    elif isinstance(value, (tuple, list)):
        for i, part in enumerate(value):
            yield from _within(f"{where}[{i}]", part)


def role(array: Array, inputs: tuple[Tensor, ...], y: Tensor) -> str:
    """What else the array of an op is, if it shares the memory of an input or the output."""
    for i, x in enumerate(inputs):
        if np.may_share_memory(array, x.data):
            return f", which is the op's {named_input(i, x)}"
    return ", which is the op's output" if np.may_share_memory(array, y.data) else ""


def checksum(array: Array) -> int:
    """A checksum of the bytes in memory order, so that NHWC arrays need no copy."""
    return crc32(to_device(array, "cpu").ravel(order="K").view(np.uint8))
