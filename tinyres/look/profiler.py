"""Measures every op's milliseconds, forward and backward.

    with tinyres.profile() as p:
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
    print(p)

    op                 calls  forward ms  backward ms  share  slowest shapes
    ────────────────────────────────────────────────────────────────────────────────────────────────────
    Conv2d                19       13.52        26.36    72%  (64, 16, 32, 32), (16, 16, 3, 3)
    BatchNormReLU         10        3.64         4.03    14%  (64, 16, 32, 32), (16,), (16,)
    …

The first call of a compiled kernel compiles it, so make one step before the one that you measure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from tinyres.autograd import Array, Op, Tensor
from tinyres.modes import Observer, observe

Shapes = tuple[tuple[int, ...], ...]


@dataclass
class Times:
    """Running sums, in seconds. calls: of forward; an op's backward may run less often, or more often."""

    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0

    @property
    def total(self) -> float:
        return self.forward + self.backward


class Row(NamedTuple):
    """One kind of op. share: fraction of all ops' time. slowest: the input shapes that took most of its time."""

    op: str
    calls: int
    forward_ms: float
    backward_ms: float
    share: float
    slowest: Shapes


class Profile(Observer):
    """Measures the time of every op. `rows()` returns the figures; `print` shows them as a table.

    seconds: wall-clock time of the whole block
    by_shapes: {(op's name, its inputs' shapes): Times}
    """

    def __init__(self) -> None:
        self.by_shapes: defaultdict[tuple[str, Shapes], Times] = defaultdict(Times)
        self.seconds = 0.0
        self.started = 0.0

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        self.started = perf_counter()

    def applied(self, op: Op, y: Tensor) -> None:
        times = self._of(op)
        times.forward += perf_counter() - self.started
        times.calls += 1

    def sweeping(self, op: Op, gy: Array) -> None:
        self.started = perf_counter()

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        self._of(op).backward += perf_counter() - self.started

    def _of(self, op: Op) -> Times:
        return self.by_shapes[op.name, tuple(x.shape for x in op.inputs)]

    def rows(self) -> list[Row]:
        """A row for every kind of op, the most expensive first."""
        everything = sum(times.total for times in self.by_shapes.values())
        rows = []
        for name in {name for name, _ in self.by_shapes}:
            own = {shapes: times for (op, shapes), times in self.by_shapes.items() if op == name}
            forward, backward = sum(t.forward for t in own.values()), sum(t.backward for t in own.values())
            slowest = max(own, key=lambda shapes: own[shapes].total)
            calls, share = sum(t.calls for t in own.values()), (forward + backward) / everything
            rows.append(Row(name, calls, 1e3 * forward, 1e3 * backward, share, slowest))
        return sorted(rows, key=lambda row: -row.share)

    def __str__(self) -> str:
        rows = self.rows()
        forward, backward = sum(row.forward_ms for row in rows), sum(row.backward_ms for row in rows)
        total = Row("total", sum(row.calls for row in rows), forward, backward, 1.0, ())
        width = max(len(row.op) for row in (*rows, total))
        lines = [f"{'op':<{width}}   calls  forward ms  backward ms  share  slowest shapes"]
        for row in (*rows, total):
            figures = f"{row.calls:>6,}  {row.forward_ms:>10.2f}  {row.backward_ms:>11.2f}  {row.share:>5.0%}"
            lines.append(f"{row.op:<{width}}  {figures}  {', '.join(map(str, row.slowest))}".rstrip())
        line = "─" * max(map(len, lines))
        rest = f"{forward + backward:.2f} of {1e3 * self.seconds:.2f} ms; the rest was spent between the ops"
        return "\n".join([lines[0], line, *lines[1:-1], line, lines[-1], rest])


@contextmanager
def profile() -> Iterator[Profile]:
    """Inside the block, measures the time of every op of this thread; the top of this file shows the result.

    Time outside the ops goes to the data, the optimiser, additions where gradients meet, and Python.
    """
    measured = Profile()
    started = perf_counter()
    try:
        with observe(measured):
            yield measured
    finally:
        measured.seconds = perf_counter() - started
