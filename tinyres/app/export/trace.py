"""Records what a network computes, op by op as the engine runs it. So no model needs a second description.

A trace contains sizes but not their origin: does this 2 come from the batch? So the network runs twice, with two images
and with three. A size that changes from 2 to 3 depends on the batch. A tensor that no op made but that changes with the
images was computed outside the engine, and cannot be exported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyres.app.export.errors import ExportError
from tinyres.autograd import Array, Node, Op, Tensor
from tinyres.look.anomaly.origin import origin
from tinyres.modes import Observer, no_grad, observe
from tinyres.nn import Module
from tinyres.nn.fused import unfused


@dataclass(frozen=True)
class Step:
    """An op as it ran. layer: the path of the module that called it."""

    op: Op
    inputs: tuple[Node, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    output: Node
    output_shape: tuple[int, ...]
    layer: str


class Trace(Observer):
    """One run: its steps in order, and its leaves, the tensors that no op made."""

    def __init__(self, model: Module, x: Tensor):
        self.steps: list[Step] = []
        self.leaves: dict[Node, Array] = {}
        self.x = x
        self._made = {x.node}
        self._paths = {module: path for path, module in model.named_modules()}
        self._inputs: tuple[Tensor, ...] = ()
        with no_grad(), unfused(), observe(self):
            y = model(x)
        self.outputs = tuple(y) if isinstance(y, (tuple, list)) else (y,)

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = inputs

    def applied(self, op: Op, y: Tensor) -> None:
        self.leaves |= {x.node: x.data for x in self._inputs if x.node not in self._made}
        self._made.add(y.node)
        modules = origin().modules
        layer = self._paths.get(modules[-1], "") if modules else ""
        nodes, shapes = tuple(x.node for x in self._inputs), tuple(x.shape for x in self._inputs)
        self.steps.append(Step(op, nodes, shapes, y.node, y.shape, layer))
        self._inputs = ()


def trace_twice(model: Module, input_shape: tuple[int, ...]) -> tuple[Trace, Trace]:
    """The network in eval mode with two images and with three. ExportError: the two runs have different ops."""
    training = {module: module.training for module in model.modules()}  # of each module: some may be frozen
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    draws = np.random.RandomState(0)
    try:
        model.eval()
        two, three = (Trace(model, Tensor(draws.standard_normal((n, *input_shape)).astype(dtype))) for n in (2, 3))
    finally:
        for module, mode in training.items():
            module.training = mode
    if [step.op.name for step in two.steps] != [step.op.name for step in three.steps]:
        raise ExportError("with three images the network runs other ops than with two, so it cannot be one ONNX graph")
    known = {p.node for p in model.parameters()} | {b.node for b in model.buffers()}
    for (node, a), b in zip(two.leaves.items(), three.leaves.values(), strict=True):
        if node not in known and not (a.shape == b.shape and np.array_equal(a, b)):
            raise ExportError("a tensor depends on the images but was not made by an op; compute it with ops")
    return two, three
