"""Finds the first NaN or Inf: which op made it, from which inputs, and where the program called the op."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from tinyres import random
from tinyres.autograd import Array, Node, Op, Tensor
from tinyres.look.anomaly.causes import backward_cause, forward_cause, limit
from tinyres.look.anomaly.origin import Origin, origin
from tinyres.look.anomaly.report import AnomalyError, describe, is_finite, named_input
from tinyres.modes import Observer

Details = Iterator[tuple[str, str]]


class NonFinite(Observer):
    """Raises AnomalyError at the first NaN or Inf, forward or backward."""

    def __init__(self) -> None:
        self.inputs: tuple[Tensor, ...] = ()  # of the op that is being applied; released afterwards
        self.origins: WeakKeyDictionary[Op, Origin] = WeakKeyDictionary()
        self.ops = self.backwards = 0
        self.in_backward = False

    # ---- forward -----------------------------------------------------------------------------------------------------

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        self.inputs = inputs
        self.ops += 1
        self.in_backward = False

    def applied(self, op: Op, y: Tensor) -> None:
        inputs, self.inputs = self.inputs, ()
        if any(op.needs):
            self.origins[op] = origin()
        if is_finite(y.data):
            return
        came = [named_input(i, x) for i, x in enumerate(inputs) if not is_finite(x.data)]
        if came:
            what = f"forward of {op.name}: NaN or Inf came in with {' and '.join(came)}, which no op here made"
        else:
            what = f"forward of {op.name}: the first NaN or Inf began here"
        arrays = [x.data for x in inputs]
        raise AnomalyError(what, self._of_forward(arrays, y.data, None if came else forward_cause(op, arrays, y.data)))

    def _of_forward(self, inputs: list[Array], y: Array, cause: str | None) -> Details:
        if cause:
            yield "why", cause
        yield "when", f"op {self.ops} since detect_anomaly began{_training_step()}"
        yield from origin().details()
        for i, x in enumerate(inputs):
            yield f"input {i}", describe(x)
        yield "output", describe(y)

    # ---- backward ----------------------------------------------------------------------------------------------------

    def sweeping(self, op: Op, gy: Array) -> None:
        self.backwards += not self.in_backward
        self.in_backward = True
        if not is_finite(gy):  # gradients from other ops were checked in swept and added
            what = f"backward of {op.name}: NaN or Inf came in with gy, from backward(gradient) or from a hook"
            raise AnomalyError(what, self._of_backward(op, ("gy", gy)))

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        if all(gx is None or is_finite(gx) for gx in grads):
            return
        gradients = [(f"gradient {i}", gx) for i, gx in enumerate(grads) if gx is not None]
        what = f"backward of {op.name}: the first NaN or Inf began here"
        raise AnomalyError(what, self._of_backward(op, ("gy", gy), *gradients, cause=backward_cause(op, gy)))

    def added(self, node: Node, gx: Array, total: Array) -> None:
        if is_finite(total):
            return
        of = f"the output of {node.op.name}" if node.op else "a leaf"
        what = f"backward: the gradients that reach {of} along several paths are finite, but their sum is not"
        cause = f"overflow: beyond {limit(total.dtype)}"
        raise AnomalyError(what, self._of_backward(node.op, ("one of them", gx), ("sum", total), cause=cause))

    def _of_backward(self, op: Op | None, *arrays: tuple[str, Array], cause: str | None = None) -> Details:
        if cause:
            yield "why", cause
        yield "when", f"backward {self.backwards} since detect_anomaly began{_training_step()}"
        if op and op in self.origins:
            yield from self.origins[op].details()
        elif op:
            yield "line", "unknown: this op was applied before detect_anomaly began"
        for name, array in arrays:
            yield name, describe(array)


def _training_step() -> str:
    """The step that the training loop has set in tinyres.random, if any."""
    epoch, step = random.current_step()
    return f"; epoch {epoch + 1}, step {step + 1} of it" if epoch or step else ""
