"""An observer that records a computation for the stepper's page: what each op did, forward and backward.

Arrays are described at once (viz/arrays.py) and not kept. What the ops save lives until the recording ends.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from tinyres.autograd import Array, Node, Op, Tensor
from tinyres.look.anomaly.origin import Origin, origin
from tinyres.look.viz.arrays import describe, number
from tinyres.look.viz.graph import Graph, Vertex
from tinyres.look.viz.kinds import kind_of
from tinyres.look.viz.residual import Paths, residual_paths
from tinyres.modes import Observer
from tinyres.nn import Module, Sequential

Record = dict[str, Any]  # what goes into the page's JSON; viz/stepper.js reads it


class Recorder(Observer):
    """steps: forward and backward ops in the order in which they ran. boxes: those of the graph, each {value: …}.

    arrays: descriptions, each once; elsewhere an array is given by its index in this list.
    """

    def __init__(self, names: dict[Node, str]):
        self.names = names  # of leaves
        self.vertices: list[Vertex] = []
        self.boxes: list[Record] = []
        self.steps: list[Record] = []
        self.arrays: list[Record] = []
        self.kinds: dict[str, Record] = {}  # by the op's name; viz/kinds.py
        self._place_of: dict[str, int] = {}
        self._vertex_of: dict[Node | Op, int] = {}
        self._arrived: dict[int, list[Record]] = {}  # by vertex: the gradients of this backward so far
        self._added: dict[int, int] = {}  # by vertex: the number of them in the sum
        self._inputs: tuple[Tensor, ...] = ()
        self._block, self._path = "", ""

    # ---- forward -----------------------------------------------------------------------------------------------------

    def applying(self, op: Op, inputs: tuple[Tensor, ...]) -> None:
        self._inputs = inputs

    def applied(self, op: Op, y: Tensor) -> None:
        where = origin()
        begun = self._enter(block_path(where))
        self._learn_names(where)
        for x in self._inputs:
            if x.node not in self._vertex_of:
                # A block's inputs do not belong to it; its weights and the constants that it makes do.
                comes_in = not x.requires_grad and not begun
                block = "" if comes_in else self._block
                self._new(x.node, Vertex(self._key(), self._name(x), x.shape, (), "leaf", block), x.data)
        sources = [self._vertex_of[x.node] for x in self._inputs]
        keys = tuple(f"v{source}" for source in sources)
        self._vertex_of[op] = self._new(y.node, Vertex(self._key(), op.name, y.shape, keys, "op", self._block), y.data)
        self.boxes[-1] |= {"kind": op.name, "inputs": sources, "names": input_names(op), **place(where)}
        self.kinds.setdefault(op.name, kind_of(op))
        self.steps.append({"phase": "forward", "box": self._vertex_of[op]})
        self._inputs = ()

    def _enter(self, path: str) -> bool:
        """Enter the block at this path; True if we were in it already. A block that runs twice is two blocks."""
        if path == self._path:
            return True
        self._path, self._block = path, path
        runs = {v.block for v in self.vertices}
        while self._block in runs and path:
            self._block += " again"
        return False

    def _key(self) -> str:
        return f"v{len(self.vertices)}"

    def _new(self, node: Node, vertex: Vertex, value: Array) -> int:
        self._vertex_of[node] = len(self.vertices)
        self.vertices.append(vertex)
        self.boxes.append({"label": vertex.label, "block": vertex.block, "value": self._array(value)})
        return self._vertex_of[node]

    def _name(self, leaf: Tensor) -> str:
        constant = leaf.numel() == 1 and not leaf.requires_grad
        return self.names.get(leaf.node, number(leaf.item()) if constant else "input")

    def _learn_names(self, where: Origin) -> None:
        for module in where.modules[:1]:
            for name, parameter in module.named_parameters():
                self.names.setdefault(parameter.node, name)

    # ---- backward ----------------------------------------------------------------------------------------------------

    def sweeping(self, op: Op, gy: Array) -> None:
        if op in self._vertex_of and self._arrived.pop(self._vertex_of[op], None) is None:
            # No gradient has arrived here, so a new backward begins.
            self._arrived, self._added = {}, {}

    def swept(self, op: Op, gy: Array, grads: tuple[Array | None, ...]) -> None:
        box = self._vertex_of.get(op)
        described = [None if gx is None else self._array(gx) for gx in grads]
        if box is not None:
            self.boxes[box]["grad"] = self._array(gy)
            step = {"phase": "backward", "box": box, "gy": self._array(gy), "grads": described, "sums": []}
            self.steps.append(step)
        for x, gx in zip(op.inputs, described, strict=True):
            to = self._vertex_of.get(x.node)
            if gx is not None and to is not None:
                self._arrived.setdefault(to, []).append({"from": box, "array": gx})
                self.boxes[to]["grad"] = gx

    def added(self, node: Node, gx: Array, total: Array) -> None:
        to = self._vertex_of.get(node)
        if to is None:
            return
        self._added[to] = count = self._added.get(to, 1) + 1
        self.boxes[to]["grad"] = self._array(total)
        arrived = self._arrived[to]
        if all(part["from"] is not None for part in arrived):  # all from ops inside the recording
            parts = [dict(part) for part in arrived[:count]]
            self.steps[-1]["sums"].append({"to": to, "parts": parts, "total": self.boxes[to]["grad"]})

    def _array(self, array: Array) -> int:
        described = describe(array)
        text = json.dumps(described)
        if text not in self._place_of:
            self._place_of[text] = len(self.arrays)
            self.arrays.append(described)
        return self._place_of[text]

    # ---- afterwards --------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Name the paths through residual connections, and release the graph."""
        inputs = {v: box.get("inputs", []) for v, box in enumerate(self.boxes)}
        for add, box in enumerate(self.boxes):
            paths = residual_paths(inputs, add) if box.get("kind") == "Add" else None
            if paths is not None:
                box["roles"] = paths.roles
                self._name_parts(add, paths)
        self._vertex_of, self._arrived, self._added, self.names = {}, {}, {}, {}

    def _name_parts(self, add: int, paths: Paths) -> None:
        """In the sum of gradients at the fork, mark which came along the identity and which through the branch."""
        role_of = {**paths.role_of, add: "identity"}
        for step in self.steps:
            for summed in step.get("sums", ()):
                if summed["to"] == paths.fork:
                    for part in summed["parts"]:
                        if part["from"] in role_of:
                            part["role"] = role_of[part["from"]]

    def graph(self) -> Graph:
        return Graph(tuple(self.vertices))


def block_path(where: Origin) -> str:
    """ "layer1.0" for an op in a residual block: of the outermost module below the model that has layers of its own."""
    for inner in where.modules[1:]:
        if any(True for _ in inner.children()) and not isinstance(inner, Sequential):
            return path_of(where.modules[0], inner)
    return ""


def path_of(model: Module, inner: Module) -> str:
    return next((path for path, module in model.named_modules() if module is inner), type(inner).__name__)


def place(where: Origin) -> Record:
    """The layer, and the line of the program, without the folders of this machine."""
    line = where.lines[0] if where.lines else None
    return {
        "layer": where.layer() if where.modules else "",
        "line": f"{Path(line.filename).name}:{line.lineno}  {line.line}" if line else "",
    }


def input_names(op: Op) -> list[str]:
    """The names of the inputs in forward: x, w, b."""
    parameters = inspect.signature(op.forward).parameters.values()
    names = [p.name for p in parameters if p.kind != p.VAR_POSITIONAL]
    return [names[k] if k < len(names) else f"input {k}" for k in range(len(op.inputs))]
