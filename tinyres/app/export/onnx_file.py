"""Writes a traced network as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinyres.app.export.errors import ExportError
from tinyres.app.export.nodes import OPSET, Call, translation
from tinyres.app.export.trace import Step, trace_twice
from tinyres.app.training.files import write_atomically
from tinyres.autograd import Array, Node
from tinyres.nn import Module

IR_VERSION = 8  # the oldest version with this operator set: most programs can read it
BATCH = "batch"  # the name of the first axis, whose length is not fixed


class Writer:
    """Collects the nodes and constants of a graph, and gives every value a unique name."""

    def __init__(self, model: Module):
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.value_of: dict[Node, str] = {}
        self._state = {id(tensor.data): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}
        self._names = {name for name, _ in model.named_parameters() if name.endswith(".weight")}
        self._used: set[str] = set()

    def unique(self, name: str) -> str:
        k, free = 1, name
        while free in self._used:
            k, free = k + 1, f"{name}_{k + 1}"
        self._used.add(free)
        return free

    def constant(self, layer: str, what: str, values: Array) -> str:
        """Add a constant, once. Weights and statistics keep their names in the model's state_dict."""
        name = self._state.get(id(values))
        if name is None:
            name = self.unique(f"{layer}/{what}".lstrip("/"))
        self.constants[name] = np.ascontiguousarray(values) if np.ndim(values) else np.asarray(values)
        return name

    def write(self, layer: str, kind: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        name = self.unique(f"{layer}/{kind}".lstrip("/"))
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def add(self, step: Step, other: Step, leaves: dict[Node, Array]) -> None:
        for node in step.inputs:
            if node not in self.value_of:
                self.value_of[node] = self.constant(step.layer, "constant", leaves[node])
        inputs = [self.value_of[node] for node in step.inputs]
        # A block runs its batch norm fused with what follows, so the step names the block; the weights name the layer.
        layer = next((name.removesuffix(".weight") for name in inputs if name in self._names), step.layer)
        write, constant = partial(self.write, layer), partial(self.constant, layer)
        self.value_of[step.output] = translation(step.op)(Call(step, other, inputs, write, constant))


def export_onnx(
    model: Module, path: str | Path, input_shape: tuple[int, ...], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write the model in eval mode as an ONNX file: images (batch, C, H, W) -> scores (batch, classes).

    input_shape: (C, H, W); only the batch size may change when the file runs
    metadata:    strings to store in the file, such as the names of the classes
    ExportError: the package onnx is missing, the weights are not float32, or an op has no translation
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise ExportError('the package onnx is not installed: pip install "tinyres[onnx]"') from None
    dtypes = {str(tensor.dtype) for tensor in model.parameters()}
    if dtypes - {"float32"}:
        raise ExportError(f"expected weights in float32, got {', '.join(sorted(dtypes))}; use model.float()")
    two, three = trace_twice(model, input_shape)
    writer = Writer(model)
    writer.value_of[two.x.node] = writer.unique("images")
    for step, other in zip(two.steps, three.steps, strict=True):
        writer.add(step, other, two.leaves)

    names = ["scores"] if len(two.outputs) == 1 else [f"output{k}" for k in range(len(two.outputs))]
    for name, y in zip(names, two.outputs, strict=True):
        writer.nodes.append(helper.make_node("Identity", [writer.value_of[y.node]], [name], name=name))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, open_batch(a.shape, b.shape))
        for name, a, b in zip(names, two.outputs, three.outputs, strict=True)
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [BATCH, *input_shape])
    constants = [numpy_helper.from_array(values, name) for name, values in writer.constants.items()]
    graph = helper.make_graph(writer.nodes, type(model).__name__, [images], outputs, constants)
    from tinyres import __version__

    proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tinyres",
        producer_version=__version__,
    )
    helper.set_model_props(proto, dict(metadata or {}))
    onnx.checker.check_model(proto, full_check=True)
    path = Path(path)
    write_atomically(path, proto.SerializeToString())
    return path


def open_batch(two: tuple[int, ...], three: tuple[int, ...]) -> list[int | str]:
    """The lengths of a value's axes, with the name BATCH for those that depend on the batch size."""
    return [a if a == b else BATCH for a, b in zip(two, three, strict=True)]
