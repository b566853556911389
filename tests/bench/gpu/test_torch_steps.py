"""torch's step, on the processor: so with a stand-in for CUDA graphs, and without what else needs a GPU."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture
def torch_steps():
    from bench.gpu import torch_steps

    return torch_steps


def test_the_likely_best_come_first(torch_steps):
    labels = torch_steps.Section(["a", "b"], batch_size=2, repeats=1).labels
    assert labels[:4] == [
        "a bf16 graph+compile",
        "a tf32 graph+compile",
        "a float32 graph+compile",
        "b bf16 graph+compile",
    ]
    assert len(labels) == 2 * 3 * 6


@pytest.mark.parametrize("way", ["eager", "channels_last", pytest.param("compile", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["float32", "tf32", "bf16"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.compile's own imports
def test_a_step_learns_its_batch(torch_steps, kind, way):
    row = torch_steps.Section(["resnet8"], batch_size=4, repeats=1, device="cpu").measure(f"resnet8 {kind} {way}")
    assert row["images_per_second"] == pytest.approx(4e3 / row["ms"])
    assert (row["model"], row["kind"], row["way"]) == ("resnet8", kind, way)
    assert row["loss"] < 0.1  # ln 10 = 2.3 at first
    allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    assert allowed == (kind == "tf32",) * 2


@pytest.fixture
def graphs(monkeypatch):
    """Stands in for torch.cuda: a graph repeats the one step that was captured. -> what was done, in order."""
    done = []

    @contextmanager
    def capture(graph, stream):
        done.append("capture")
        yield
        done.append("captured")

    names = {
        "Stream": lambda: SimpleNamespace(wait_stream=lambda other: done.append("wait")),
        "current_stream": lambda: SimpleNamespace(wait_stream=lambda other: done.append("wait")),
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: done.append("replay")),
        "graph": capture,
    }
    for name, stand_in in names.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return done


def test_a_captured_step(torch_steps, graphs):
    """It warms up before the capture, and what is then timed are replays alone."""
    loss = torch.tensor(0.5)
    step = torch_steps.captured(lambda: graphs.append("step") or loss)
    assert graphs == ["wait", *["step"] * torch_steps.WARM_UP, "wait", "capture", "step", "captured"]
    graphs.clear()
    torch_steps.seconds(step, 5, "cpu", rounds=1)
    assert graphs == ["replay"] * 5 and step() is loss


@pytest.mark.parametrize("way", ["graph", "graph+compile"])
def test_ways_with_a_graph_capture_the_step(torch_steps, graphs, monkeypatch, way):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function, mode: compiled.append(mode) or function)
    torch_steps.training_step("resnet8", "bf16", way, 4, "cpu")()
    assert graphs[-2:] == ["captured", "replay"]
    assert compiled == (["default"] if way == "graph+compile" else [])
