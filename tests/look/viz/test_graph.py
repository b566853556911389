"""The picture of a graph: every op and every arrow, in SVG and in DOT."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from tinyres import Tensor, randn
from tinyres.look import viz
from tinyres.look.viz.graph import Graph, Vertex
from tinyres.look.viz.layout import GAP, lay_out, rows
from tinyres.models.resnet import BasicBlock

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def array_kernels(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")


def a_loss():
    x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    return ((w * x + x).relu()).sum(), {"w": w}


def test_every_tensor_and_every_arrow():
    loss, names = a_loss()
    vertices = viz.graph(loss, names).vertices
    label = {v.key: v.label for v in vertices}
    assert [(v.label, v.kind, v.shape, [label[source] for source in v.inputs]) for v in vertices] == [
        ("w", "leaf", (2,), []),
        ("input", "leaf", (2,), []),
        ("Multiply", "op", (2,), ["w", "input"]),
        ("Add", "op", (2,), ["Multiply", "input"]),
        ("ReLU", "op", (2,), ["Add"]),
        ("Sum", "op", (), ["ReLU"]),
    ]


def test_svg():
    loss, names = a_loss()
    drawing = viz.graph(loss, names)
    root = ET.fromstring(drawing.svg())
    assert root.tag == f"{SVG}svg"
    boxes = [group for group in root.iter(f"{SVG}g") if "data-key" in group.attrib]
    assert [box.find(f"{SVG}text").text for box in boxes] == ["w", "input", "Multiply", "Add", "ReLU", "Sum"]
    heads = [path for path in root.iter(f"{SVG}path") if path.get("class") == "head"]
    arrows = {(path.get("data-from"), path.get("data-to")) for path in heads}
    assert arrows == {(source, v.key) for v in drawing.vertices for source in v.inputs}
    assert root.find(f"{SVG}title").text.endswith("4 boxes from inputs to loss: Multiply, Add, ReLU, Sum")
    assert drawing._repr_html_() == drawing.svg()


def test_dot():
    loss, names = a_loss()
    drawing = viz.graph(loss, names)
    lines = drawing.dot().splitlines()
    assert (lines[0], lines[-1]) == ("digraph tinyres {", "}")
    assert '  "v2" [label="Multiply\\n2", shape=box];' in lines
    arrows = [re.fullmatch(r'  "(v\d)" -> "(v\d)";', line).groups() for line in lines if "->" in line]
    assert arrows == [(source, v.key) for v in drawing.vertices for source in v.inputs]


def test_names_are_only_text():
    x = Tensor(1.0, requires_grad=True)
    drawing = viz.graph(x * x, {'<b>"&\\': x})
    ET.fromstring(drawing.svg())
    assert '[label="<b>\\"&\\\\\\na number"' in drawing.dot()


def test_there_must_be_a_graph():
    loss, _ = a_loss()
    loss.backward()
    with pytest.raises(RuntimeError, match="backward has run"):
        viz.graph(loss)
    with pytest.raises(RuntimeError, match="nothing required a gradient"):
        viz.graph(Tensor(1.0))


def test_a_deep_graph():
    x = Tensor(1.0, requires_grad=True)
    for _ in range(1500):
        x = x.relu()
    assert len(viz.graph(x).vertices) == 1501


def test_a_whole_network():
    model = BasicBlock(3, 4, 2, "A")
    loss = model(randn(2, 3, 8, 8, requires_grad=True)).sum()
    drawing = viz.graph(loss, dict(model.named_parameters()))
    labels = {v.label for v in drawing.vertices}
    assert labels > {"conv1.weight", "bn2.bias", "Pad", "Conv2d"}
    ET.fromstring(drawing.svg())


# ---- folding ---------------------------------------------------------------------------------------------------------

FOLDABLE = Graph(
    (
        Vertex("x", "x", (2,), kind="leaf"),
        Vertex("w", "a.w", (2,), kind="leaf", block="a"),
        Vertex("p", "Multiply", (2,), ("w", "x"), block="a"),
        Vertex("q", "Add", (3,), ("p", "x"), block="a"),
        Vertex("y", "Sum", (), ("q",)),
    )
)


def test_folded():
    folded = FOLDABLE.folded().vertices
    assert [(v.key, v.label, v.kind, v.shape, v.inputs) for v in folded] == [
        ("x", "x", "leaf", (2,), ()),
        ("block a", "a", "block", (3,), ("x",)),
        ("y", "Sum", "op", (), ("block a",)),
    ]


def test_inside():
    inside = FOLDABLE.inside("a").vertices
    assert [(v.label, v.kind, v.inputs) for v in inside] == [
        ("from x", "outside", ()),
        ("w", "leaf", ()),
        ("Multiply", "op", ("w", "x")),
        ("Add", "op", ("p", "x")),
        ("to Sum", "outside", ("q",)),
    ]


def test_a_block_that_reads_twice_is_seen_once():
    again = (Vertex("r", "ReLU", (3,), ("q",), block="b"), Vertex("s", "Add", (3,), ("r", "q"), block="b"))
    inside = Graph((*FOLDABLE.vertices, *again)).inside("a").vertices
    assert [v.label for v in inside if v.kind == "outside"] == ["from x", "to Sum", "to b"]


# ---- layout ----------------------------------------------------------------------------------------------------------

CHAIN = {"x": (), "a": ("x",), "w": (), "b": ("a", "w"), "c": ("b", "x")}


def test_rows():
    assert rows(CHAIN) == {"x": 0, "a": 1, "w": 1, "b": 2, "c": 3}  # w just above b, which reads it


def test_what_is_computed_runs_straight_down_and_ways_pass_on_the_right():
    layout = lay_out(CHAIN, dict.fromkeys(CHAIN, 100))
    places = layout.places
    assert len({places[key][0] for key in ("x", "a", "b", "c")}) == 1
    assert places["w"][0] < places["a"][0] == places["b"][0]
    ((first, _), (second, _)) = layout.bends["x", "c"]
    assert first == second > places["a"][0] + 50


def test_a_fork_runs_straight_on_one_side():
    ways = {"x": (), "a": ("x",), "s": ("x",), "b": ("a",), "y": ("b", "s")}
    places = lay_out(ways, dict.fromkeys(ways, 100)).places
    assert len({places[key][0] for key in "xaby"}) == 1
    assert places["s"][0] > places["a"][0]


def test_no_two_boxes_overlap_and_no_arrow_passes_through_one():
    layout = lay_out(CHAIN, dict.fromkeys(CHAIN, 100))
    lines = {}
    for x, y in layout.places.values():
        lines.setdefault(y, []).append((x, 100))
    for bends in layout.bends.values():
        for x, y in bends:
            lines[y].append((x, 0))
    assert sum(len(line) for line in lines.values()) == len(CHAIN) + 2  # the arrow from x to c passes two rows
    for line in lines.values():
        line.sort()
        for (left, left_width), (right, right_width) in pairwise(line):
            assert right - left >= (left_width + right_width) / 2 + GAP - 1e-9
        assert line[0][0] - line[0][1] / 2 >= 0 and line[-1][0] + line[-1][1] / 2 <= layout.width
