"""The stepper's page contains what the engine computed, and loads nothing. test_stepper_browser.py uses it."""

import html
import inspect
import json
import re
import textwrap
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import tinyres
from tinyres import Op, Tensor
from tinyres.look import viz
from tinyres.look.viz.examples import EXAMPLES
from tinyres.look.viz.kinds import kind_of
from tinyres.nn import Linear, Module, ReLU, Sequential
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.conv2d import Conv2d
from tinyres.ops.multiply import Multiply
from tinyres_kernels import reference

MEGABYTES = 5


@pytest.fixture(autouse=True)
def array_kernels(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")


def page_data(page):
    """The data that the page's script reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def values(data, index):
    return data["arrays"][index]["values"]


def shown(*numbers):
    return [f"{number:.6g}" for number in numbers]


def steps(data, phase):
    return [step for step in data["steps"] if step["phase"] == phase]


def kinds(data, phase):
    return [data["boxes"][step["box"]]["kind"] for step in steps(data, phase)]


# ---- the numbers -----------------------------------------------------------------------------------------------------


def small_residual():
    """y = s(w·x) + x, and the loss is its sum."""
    x, w = Tensor([0.5, -1.5], requires_grad=True), Tensor([0.7, 0.3], requires_grad=True)
    recording = viz.stepper(lambda: ((w * x).sigmoid() + x).sum(), "small", {"x": x, "w": w})
    return x, w, page_data(recording.html())


def test_the_steps_are_the_engines():
    _, _, data = small_residual()
    assert kinds(data, "forward") == ["Multiply", "Sigmoid", "Add", "Sum"]
    assert kinds(data, "backward") == ["Sum", "Add", "Sigmoid", "Multiply"]
    assert [box["label"] for box in data["boxes"]] == ["w", "x", "Multiply", "Sigmoid", "Add", "Sum"]


def test_the_numbers_are_the_engines():
    x, w, data = small_residual()
    multiply, sigmoid = data["boxes"][2], data["boxes"][3]
    s = 1 / (1 + np.exp(-(x.data * w.data)))
    assert values(data, multiply["value"]) == shown(*(x.data * w.data))
    assert values(data, sigmoid["value"]) == shown(*s)
    backward = steps(data, "backward")
    assert values(data, backward[2]["gy"]) == ["1", "1"]
    (gx,) = backward[2]["grads"]
    assert values(data, gx) == shown(*(s * (1 - s)))
    assert values(data, data["boxes"][0]["grad"]) == shown(*w.grad)
    assert values(data, data["boxes"][1]["grad"]) == shown(*x.grad)


def test_the_two_ways_of_a_residual_connection():
    x, w, data = small_residual()
    assert data["boxes"][4]["roles"] == ["branch", "identity"]
    (summed,) = steps(data, "backward")[-1]["sums"]
    identity, branch = summed["parts"]
    assert (data["boxes"][summed["to"]]["label"], identity["role"], branch["role"]) == ("x", "identity", "branch")
    s = 1 / (1 + np.exp(-(x.data * w.data)))
    assert values(data, identity["array"]) == ["1", "1"]
    assert values(data, branch["array"]) == shown(*(s * (1 - s) * w.data))
    assert values(data, summed["total"]) == shown(*x.grad)


def test_three_ways_are_two_sums():
    x = Tensor(2.0, requires_grad=True)
    data = viz.stepper(lambda: x * x + x).data()  # from the addition 1, from the product 2 and 2
    sums = [summed for step in steps(data, "backward") for summed in step["sums"]]
    assert [[values(data, part["array"]) for part in summed["parts"]] for summed in sums] == [
        [["1"], ["2"]],
        [["1"], ["2"], ["2"]],
    ]
    assert [values(data, summed["total"]) for summed in sums] == [["3"], ["5"]]


def test_a_second_sweep_begins_from_nothing():
    x = Tensor(3.0, requires_grad=True)
    with viz.record() as recording:
        for _ in range(2):
            (x + x * x).backward()
    sums = [summed for step in steps(recording.data(), "backward") for summed in step["sums"]]
    assert [len(summed["parts"]) for summed in sums] == [2, 3, 2, 3]
    assert x.grad == 14


def test_what_every_op_says_of_itself():
    _, _, data = small_residual()
    assert data["kinds"]["Sigmoid"]["formula"] == "y = s(x) = 1 / (1 + e⁻ˣ), between 0 and 1"
    backward = data["kinds"]["Multiply"]["backward"]
    lines, first = inspect.getsourcelines(Multiply.backward)
    assert textwrap.indent(backward["text"], "    ") == "".join(lines)
    assert (backward["file"], backward["line"]) == ("tinyres/ops/multiply.py", first)
    assert data["kinds"]["Multiply"]["gradients"] == "ga = gy · b    gb = gy · a"
    assert "gx = gy · s'(x) = gy · y·(1 − y)" in data["kinds"]["Sigmoid"]["text"]


def test_a_backward_is_followed_down_to_its_loops():
    data = viz.stepper(lambda: Tensor([1.0, -2.0], requires_grad=True).relu().sum()).data()
    (loops,) = data["kinds"]["ReLU"]["kernels"]
    assert (loops["name"], loops["file"]) == ("relu_grad_x", "tinyres_kernels/reference/relu.py")
    assert loops["text"] == inspect.getsource(reference.relu_grad_x)
    assert data["kinds"]["Sum"]["kernels"] == []


@pytest.mark.parametrize(
    ("kind", "gradients"),
    [(Conv2d, ["gw[o,c,i,j] = ", "gx: each", "gb[o] = "]), (BatchNorm, ["gbeta = ", "ggamma = ", "gx = "])],
)
def test_what_the_gradients_are_is_found_in_the_docstring(kind, gradients):
    said = kind_of(kind.__new__(kind))["gradients"]
    assert all(part in said for part in gradients) and "Trips" not in said and "(N,C" not in said


def test_an_op_typed_in_at_a_prompt():
    space = {"Op": Op}
    exec("class Double(Op):\n  def forward(self, x): return 2 * x\n  def backward(self, gy): return 2 * gy", space)
    data = viz.stepper(lambda: space["Double"]()(Tensor(1.0, requires_grad=True))).data()
    double = data["kinds"]["Double"]
    assert (double["formula"], double["gradients"], double["text"], double["kernels"]) == ("", "", "", [])
    assert (double["backward"]["text"], double["backward"]["file"]) == ("(its source is in no file)", "")


def test_the_line_and_the_layer():
    model = Sequential(Linear(3, 2), ReLU())
    data = viz.stepper(lambda: model(Tensor(np.ones((1, 3), np.float32))).sum()).data()
    linear = next(box for box in data["boxes"] if box.get("kind") == "Linear")
    assert linear["layer"] == "0 of Sequential"
    assert re.fullmatch(r"test_stepper\.py:\d+  data = viz\.stepper\(.*", linear["line"])
    assert [box["label"] for box in data["boxes"][:3]] == ["input", "0.weight", "0.bias"]


# ---- recording -------------------------------------------------------------------------------------------------------


def test_a_block_inside_record():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with viz.record("mine") as recording:
        y = x * 3.0
        y.backward(np.array([10.0, 20.0], np.float32))
    y2 = y.detach() * 2.0
    data = recording.data()
    assert kinds(data, "forward") == ["Multiply"] and y2.shape == (2,)
    assert values(data, steps(data, "backward")[0]["gy"]) == ["10", "20"]
    assert data["boxes"][1]["label"] == "3"  # a constant shows its value
    assert "<title>mine</title>" in recording.html()


def test_forward_alone_and_what_began_before():
    x = Tensor(2.0, requires_grad=True)
    before = x * x
    with viz.record() as recording:
        after = before.relu()
        after.backward()
    assert kinds(recording.data(), "backward") == ["ReLU"]
    with viz.record() as recording:
        x.relu()
    assert kinds(recording.data(), "backward") == []
    recording.html()


def test_a_gradient_from_before_the_recording_makes_no_false_sum():
    x = Tensor(2.0, requires_grad=True)
    before = x * x
    with viz.record(names={"x": x}) as recording:
        (before + x.relu()).backward()
    data = recording.data()
    assert kinds(data, "backward") == ["Add", "ReLU"]
    assert [summed for step in steps(data, "backward") for summed in step["sums"]] == []
    (own,) = [box for box in data["boxes"] if box["label"] == "x"]
    assert values(data, own["grad"]) == ["5"] == shown(x.grad)


def test_a_sweep_from_the_middle():
    x = Tensor(3.0, requires_grad=True)
    with viz.record() as recording:
        y = x + x
        y.relu().backward(retain_graph=True)
        y.backward()
    sums = [summed for step in steps(recording.data(), "backward") for summed in step["sums"]]
    assert [len(summed["parts"]) for summed in sums] == [2, 2]


def test_bad_use_is_explained():
    with pytest.raises(TypeError, match="expected a function that computes it"):
        viz.stepper(Tensor(1.0))
    with viz.record() as recording:
        pass
    with pytest.raises(RuntimeError, match="no op ran inside"):
        recording.html()


def test_nothing_is_kept_that_the_graph_had():
    x = Tensor(2.0, requires_grad=True)
    recording = viz.stepper(lambda: x * x)
    assert recording.recorder._vertex_of == {}
    assert x.grad == 4


# ---- the page --------------------------------------------------------------------------------------------------------


class Twice(Module):
    """A model whose block runs twice."""

    def __init__(self):
        super().__init__()
        self.block = Inner()

    def forward(self, x):
        return self.block(self.block(x).relu())


class Inner(Module):
    def __init__(self):
        super().__init__()
        self.fc = Linear(2, 2)

    def forward(self, x):
        return self.fc(x) + x


def test_a_block_that_runs_twice_is_two_boxes():
    model = Twice()
    graph = viz.stepper(lambda: model(tinyres.randn(1, 2)).sum()).graph()
    assert graph.blocks() == ["block", "block again"]
    assert [v.label for v in graph.folded().vertices] == ["input", "block", "ReLU", "block again", "Sum"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_is_whole_and_needs_nothing(name, tmp_path):
    recording = EXAMPLES[name]()
    recording.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(page.encode()) < MEGABYTES * 1e6
    assert set(re.findall(r"https?://[^\"' <]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert "default-src 'none'" in page and "{{" not in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    data = page_data(page)
    assert data == json.loads(json.dumps(recording.data()))
    assert {data["boxes"][step["box"]]["kind"] for step in data["steps"]} == data["kinds"].keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_op_is_in_a_picture(name):
    page = EXAMPLES[name]().html()
    pictures = [ET.fromstring(svg) for svg in re.findall(r"<svg xmlns.*?</svg>", page, re.S)]
    drawn = {group.get("data-key") for picture in pictures for group in picture.iter() if group.get("data-key")}
    assert drawn >= {f"v{step['box']}" for step in page_data(page)["steps"]}


def test_resnet20_folds():
    graph = EXAMPLES["resnet20"]().graph()
    assert graph.blocks() == [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]
    labels = [v.label for v in graph.folded().vertices if v.kind in ("op", "block")]
    assert labels == ["Conv2d", "BatchNorm", "ReLU", *graph.blocks(), *labels[-5:]]
    adds = [box for box in EXAMPLES["resnet20"]().data()["boxes"] if box.get("kind") == "Add"]
    plain, changing = ["branch", "identity"], ["branch", "shortcut"]
    expected = [plain, plain, plain, changing, plain, plain, changing, plain, plain]
    assert [list(add["roles"]) for add in adds] == expected


def test_in_a_notebook():
    recording = viz.stepper(lambda: Tensor(1.0, requires_grad=True) * 2.0, 'a "title" </script>')
    frame = recording._repr_html_()
    inner = html.unescape(re.fullmatch(r'<iframe title="[^"]*" srcdoc="([^"]*)" style="[^"]*"></iframe>', frame)[1])
    assert inner == recording.html()
    assert page_data(inner)["steps"]
