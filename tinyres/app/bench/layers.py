"""Times every distinct convolution of a model by itself: milliseconds, GFLOP/s, and which rung computed it.

The arrays are those of a real training step, in their real memory layout. They are the same in every repetition, so
small ones may still be in the cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from math import prod
from statistics import median
from types import FrameType
from typing import Any, NamedTuple

from tinyres.app.bench.step import Training
from tinyres.app.bench.stopwatch import seconds
from tinyres.autograd import Array, Op
from tinyres.device import kernels_for
from tinyres.modes import Observer, observe
from tinyres.ops.conv2d import Conv2d

FORWARD, GRAD_X, GRAD_W = "forward", "grad_x", "grad_w"
DIRECTIONS = {FORWARD: "conv2d", GRAD_X: "conv2d_grad_x", GRAD_W: "conv2d_grad_w"}  # and their functions in a rung


class Shape(NamedTuple):
    """What distinguishes one convolution from another."""

    x: tuple[int, ...]  # (N,C,H,W)
    w: tuple[int, ...]  # (O,C,KH,KW)
    y: tuple[int, ...]  # (N,O,P,Q)
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def flop(self) -> int:
        """2 · N·O·P·Q · C·KH·KW, in each direction. Operations with the zeros of the padding count, as usual."""
        return 2 * prod(self.y) * prod(self.w[1:])

    def bytes(self, itemsize: int) -> int:
        """The least bytes to move: x, w and y once each. In each direction two are read and one is written."""
        return itemsize * (prod(self.x) + prod(self.w) + prod(self.y))


class Convolutions(Observer):
    """Counts the convolutions of a training step, and keeps the arrays of each distinct one."""

    def __init__(self) -> None:
        self.counts: dict[Shape, int] = {}
        self.examples: dict[Shape, tuple[Array, Array, Array, bool]] = {}  # x, w, gy, and is gx wanted?

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        if isinstance(op, Conv2d):
            x, w = op.saved
            shape = Shape(x.shape, w.shape, gy.shape, op.stride, op.padding)
            self.counts[shape] = self.counts.get(shape, 0) + 1
            self.examples[shape] = x, w, gy, op.needs[0]


def layers(model: str, batch_size: int, repeats: int, forward_only: bool = False) -> list[dict[str, Any]]:
    """A row for every distinct convolution of the model, in the order of the forward pass; medians of `repeats`."""
    seen = Convolutions()
    with observe(seen):
        Training(model, batch_size).step()
    rows = []
    for shape in reversed(seen.counts):  # backward saw the last one first
        x, w, gy, needs_gx = seen.examples[shape]
        calls = calls_of(shape, x, w, gy)
        if forward_only:
            calls = {FORWARD: calls[FORWARD]}
        elif not needs_gx:  # the gradient of the images is not needed
            del calls[GRAD_X]
        measured = {name: measure(call, DIRECTIONS[name], shape.flop, repeats) for name, call in calls.items()}
        intensity = shape.flop / shape.bytes(x.itemsize)
        row = {**shape._asdict(), "count": seen.counts[shape], "flop": shape.flop, "flop_per_byte": intensity}
        rows.append({**row, "directions": measured})
    return rows


def calls_of(shape: Shape, x: Array, w: Array, gy: Array) -> dict[str, Callable[[], Array]]:
    kernels, how = kernels_for(x), (shape.stride, shape.padding)
    return {
        FORWARD: partial(kernels.conv2d, x, w, *how),
        GRAD_X: partial(kernels.conv2d_grad_x, gy, w, shape.x, *how),
        GRAD_W: partial(kernels.conv2d_grad_w, gy, x, shape.w, *how),
    }


def measure(call: Callable[[], Array], function: str, flop: int, repeats: int) -> dict[str, Any]:
    """The median and the fastest call; if they differ a lot, other programs were using the machine."""
    taken = seconds(call, repeats)
    gflops = flop / median(taken) / 1e9
    rung = rung_of(call, function)
    return {"ms": 1e3 * median(taken), "fastest_ms": 1e3 * min(taken), "gflops": gflops, "rung": rung}


def rung_of(call: Callable[[], Array], function: str) -> str:
    """ "cpu", "array" or "reference": the rung that computed this in the end.

    A rung passes what it does not cover to the function of the same name in the next rung, so the last function entered
    under that name did the work.
    """
    entered: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and frame.f_code.co_name == function and module.startswith("tinyres_kernels."):
            entered.append(module.split(".")[1])

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return entered[-1]


def with_shares(rows: list[dict[str, Any]], peak_gflops: float) -> list[dict[str, Any]]:
    """The rows, with the share of the peak added to each direction."""
    return [
        {
            **row,
            "directions": {
                name: {**measured, "share": measured["gflops"] / peak_gflops}
                for name, measured in row["directions"].items()
            },
        }
        for row in rows
    ]
