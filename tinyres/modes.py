"""What accompanies a computation: is it recorded for backward, and who is told of it?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tinyres_kernels.contract import Array

if TYPE_CHECKING:
    from tinyres.autograd import Node, Op, Tensor


class Observer:
    """Learns of every op, before and after its forward and its backward. Override what you need; see `observe`.

    `y.node` and `op.inputs[i].node` identify tensors: the node that one op made is an input's node of the next. Arrays
    are the engine's own: copy what you keep, and write into none.
    """

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        """op is about to compute its output from these."""

    def applied(self, op: Op, y: Tensor) -> None:
        """op has made y from op.inputs."""

    def sweeping(self, op: Op, gy: Array) -> None:
        """op.backward(gy) is about to run; gy is complete, and the hooks have seen it."""

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        """op.backward(gy) has returned grads."""

    def added(self, node: Node, gx: Array, total: Array) -> None:
        """Where paths meet: gx was added to what had reached node along others; total is the sum so far."""


class Mode(threading.local):
    """Of this thread."""

    recording = True
    observers: tuple[Observer, ...] = ()


mode = Mode()


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside, nothing is recorded and nothing saved: for evaluation, and for writing to parameters."""
    before, mode.recording = mode.recording, False
    try:
        yield
    finally:
        mode.recording = before


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Inside, `observer` is told of every op in this thread: for counting, profiling and drawing."""
    before, mode.observers = mode.observers, (*mode.observers, observer)
    try:
        yield
    finally:
        mode.observers = before


class Removable:
    """What registering a hook returns: `.remove()` takes the hook away again."""

    def __init__(self, hooks: dict[object, Any], hook: Any):
        self.hooks, self.key = hooks, object()
        hooks[self.key] = hook

    def remove(self) -> None:
        self.hooks.pop(self.key, None)
