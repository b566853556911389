"""Draws the graph of a computation: boxes for tensors and ops, arrows from the inputs to the loss.

    loss = F.cross_entropy(model(images), labels)
    drawing = tinyres.look.viz.graph(loss, dict(model.named_parameters()))
    Path("graph.svg").write_text(drawing.svg())      # or dot(); or end a notebook's cell with the drawing

Draw it before `loss.backward()`, which frees the graph. The SVG needs no other program; the DOT text is for Graphviz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise

from tinyres.autograd import RELEASED, Node, Tensor
from tinyres.look.viz.layout import Point, lay_out

BOX_HEIGHT, HEAD = 42, 7
WIDTHS = {"op": 132, "leaf": 118, "block": 176, "outside": 120}
# The stepper's page sets these variables; a single picture uses the colours given here.
STYLE = """
.tinyres-graph { font: 12.5px system-ui, sans-serif; --ink: #16191d; --soft: #59616b;
  --box: #e4effa; --rim: #7d9cbb; --leaf: #f4f4f2; --leaf-rim: #a5a59e; --edge: #8b939c; }
@media (prefers-color-scheme: dark) {
  .tinyres-graph { --ink: #eceff2; --soft: #a9b2bc; --box: #1b3347; --rim: #4f7596; --leaf: #26282b;
    --leaf-rim: #63676c; --edge: #79818a; }
}
.tinyres-graph text { fill: var(--ink); text-anchor: middle; font-weight: 500; }
.tinyres-graph .shape { font-size: 11px; font-weight: 400; fill: var(--soft); }
.tinyres-graph rect { fill: var(--box); stroke: var(--rim); }
.tinyres-graph .leaf rect, .tinyres-graph .outside rect { fill: var(--leaf); stroke: var(--leaf-rim); }
.tinyres-graph .outside rect { stroke-dasharray: 4 3; }
.tinyres-graph .block rect { stroke-width: 2.5; }
.tinyres-graph path { fill: none; stroke: var(--edge); stroke-width: 1.5; }
.tinyres-graph .head { fill: var(--edge); stroke: none; }
"""


@dataclass(frozen=True)
class Vertex:
    """A box. kind: op (with its output), leaf, block (several folded into one) or outside (not in the block shown)."""

    key: str
    label: str
    shape: tuple[int, ...]
    inputs: tuple[str, ...] = ()  # keys, in the op's order
    kind: str = "op"
    block: str = ""  # the path of its block, such as layer1.0; "" for none


@dataclass(frozen=True)
class Graph:
    """Boxes, each after its inputs."""

    vertices: tuple[Vertex, ...]

    def dot(self) -> str:
        """The graph as text for Graphviz."""
        lines = ["digraph tinyres {", "  rankdir=TB;", "  node [fontname=Helvetica, fontsize=11];"]
        for v in self.vertices:
            look = "shape=box" if v.kind in ("op", "block") else "shape=box, style=rounded"
            lines.append(f'  "{v.key}" [label="{_quoted(v.label)}\\n{shape_text(v.shape)}", {look}];')
        lines += [f'  "{source}" -> "{v.key}";' for v in self.vertices for source in v.inputs]
        return "\n".join([*lines, "}", ""])

    def svg(self) -> str:
        """The graph as a picture; dark if the reader's system is. Every box is a <g data-key=…>."""
        return self._drawn(f"<style>{STYLE}</style>")

    def svg_without_style(self) -> str:
        """The same for a page that has STYLE once for several pictures."""
        return self._drawn("")

    def _repr_html_(self) -> str:
        return self.svg()

    def _drawn(self, style: str) -> str:
        layout = lay_out({v.key: v.inputs for v in self.vertices}, {v.key: WIDTHS[v.kind] for v in self.vertices})
        width, height = round(layout.width), round(layout.height)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="tinyres-graph" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(self.description())}</title>{style}",
        ]
        for (source, target), bends in layout.bends.items():
            ends = f'data-from="{escape(source)}" data-to="{escape(target)}"'
            parts += _arrow(ends, layout.places[source], bends, layout.places[target])
        parts += [_box(v, *layout.places[v.key]) for v in self.vertices]
        return "\n".join([*parts, "</svg>"])

    def description(self) -> str:
        """A text for readers who cannot see the picture."""
        shown = [v.label for v in self.vertices if v.kind in ("op", "block")]
        names = ", ".join(shown) if len(shown) <= 20 else f"{', '.join(shown[:10])}, …, {', '.join(shown[-9:])}"
        return f"The graph of a computation, {len(shown)} boxes from inputs to loss: {names}"

    def blocks(self) -> list[str]:
        return list(dict.fromkeys(v.block for v in self.vertices if v.block))

    def folded(self) -> Graph:
        """The graph with every block, weights included, as a single box."""
        last = {v.block: v for v in self.vertices if v.block}  # its last vertex, whose output is the block's
        own = {v.key: f"block {v.block}" if v.block else v.key for v in self.vertices}
        boxes: dict[str, Vertex] = {}
        for v in self.vertices:
            key = own[v.key]
            sources = tuple(own[source] for source in v.inputs)
            if not v.block:
                boxes[key] = replace(v, inputs=sources)
                continue
            before = boxes[key].inputs if key in boxes else ()
            outer = tuple(dict.fromkeys((*before, *(source for source in sources if source != key))))
            boxes[key] = Vertex(key, v.block, last[v.block].shape, outer, "block")
        return Graph(tuple(boxes.values()))

    def inside(self, block: str) -> Graph:
        """One block, with its sources and readers outside; another block that reads from it is a single box."""
        members = {v.key for v in self.vertices if v.block == block}
        read = {source for v in self.vertices if v.key in members for source in v.inputs}
        shown = []
        readers: set[str] = set()
        for v in self.vertices:
            if v.key in members:
                shown.append(replace(v, label=v.label.removeprefix(f"{block}.")))
            elif v.key in read:
                shown.append(replace(v, kind="outside", inputs=(), label=f"from {v.block or v.label}"))
            elif members.intersection(v.inputs) and (not v.block or v.block not in readers):
                readers.add(v.block)
                sources = tuple(source for source in v.inputs if source in members)
                shown.append(replace(v, kind="outside", inputs=sources, label=f"to {v.block or v.label}"))
        return Graph(tuple(shown))


def graph(loss: Tensor, names: Mapping[str, Tensor] | None = None) -> Graph:
    """The graph that computed loss. names: of leaves, such as dict(model.named_parameters())."""
    if loss.node.op is None or loss.node.op is RELEASED:
        raise RuntimeError("graph: there is none; either nothing required a gradient, or backward has run and freed it")
    called = {x.node: name for name, x in (names or {}).items()}
    keys: dict[Node, str] = {}
    vertices = []
    stack = [(loss.node, loss.shape, False)]
    while stack:  # a loop, not a recursion: ResNet-1202 has 6,000 ops
        node, shape, inputs_done = stack.pop()
        if node in keys:
            continue
        op = node.op
        if op is RELEASED:
            raise RuntimeError("graph: backward has freed a part of it; draw the graph before backward")
        if op is not None and not inputs_done:
            stack.append((node, shape, True))
            stack.extend((x.node, x.shape, False) for x in reversed(op.inputs))
            continue
        keys[node] = key = f"v{len(keys)}"
        if op is None:
            vertices.append(Vertex(key, called.get(node, "input"), shape, kind="leaf"))
        else:
            vertices.append(Vertex(key, op.name, shape, tuple(keys[x.node] for x in op.inputs)))
    return Graph(tuple(vertices))


def shape_text(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a number"


def _arrow(ends: str, start: Point, bends: list[Point], end: Point) -> list[str]:
    """A line and its head; the line is vertical where it passes a row of boxes and where it arrives."""
    half = BOX_HEIGHT / 2
    passing = [(x, y + side) for x, y in bends for side in (-half, half)]
    points = [(start[0], start[1] + half), *passing, (end[0], end[1] - half - HEAD)]
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (y + to_y) / 2
        turn = f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} " if abs(x - to_x) > 0.05 else "L"
        parts.append(f"{turn}{to_x:.1f} {to_y:.1f}")
    head = f"M{end[0]:.1f} {end[1] - half:.1f}l-4 {-HEAD - 1}h8z"
    return [f'<path {ends} d="{"".join(parts)}"/>', f'<path {ends} class="head" d="{head}"/>']


def _box(v: Vertex, x: float, y: float) -> str:
    width = WIDTHS[v.kind]
    longest = width // 7
    label = v.label if len(v.label) <= longest else "…" + v.label[1 - longest :]
    return (
        f'<g data-key="{escape(v.key)}" class="{v.kind}"><title>{escape(v.label)}: {shape_text(v.shape)}</title>'
        f'<rect x="{x - width / 2:.1f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{width}" height="{BOX_HEIGHT}" '
        f'rx="{4 if v.kind in ("op", "block") else 14}"/>'
        f'<text x="{x:.1f}" y="{y - 3.5:.1f}">{escape(label)}</text>'
        f'<text x="{x:.1f}" y="{y + 13:.1f}" class="shape">{shape_text(v.shape)}</text></g>'
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
