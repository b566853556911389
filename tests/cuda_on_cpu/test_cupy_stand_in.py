"""The stand-in for CuPy tested: it records launches alone, and refuses what a GPU would not repeat."""

import numpy as np
import pytest

from cuda_on_cpu import emulator
from cuda_on_cpu.cupy_stand_in import Array, Stream, gpu  # noqa: F401
from tinyres import device
from tinyres_kernels import gpu as kernels
from tinyres_kernels.gpu.graph import Recorder, beside, meet
from tinyres_kernels.gpu.launch import empty, launch

pytestmark = [emulator.needs_compiler, pytest.mark.usefixtures("gpu")]
X = np.array([-1.0, 2.0, -3.0])


def test_its_arrays_pass_for_cupys():
    x = device.to_device(X, "cuda")
    assert device.device_of(x) == "cuda:0" and device.kernels_for(x) is kernels
    assert type(x + 1) is type(x.sum()) is type(x[1:]) is type(np.zeros_like(x)) is Array
    assert type(device.to_device(x, "cpu")) is np.ndarray
    np.testing.assert_array_equal(device.to_device(x * 2, "cpu"), X * 2)


def recorded(work):
    """The graph; and y, which work(x, y) writes. What it did before, to warm up, is wiped out."""
    x, y = device.to_device(X, "cuda"), device.to_device(np.zeros(3), "cuda")
    recorder = Recorder(0)
    graph = recorder.record(lambda: work(x, y))
    y[...] = 0
    return recorder, graph, x, y


def relu_into(x, y):
    launch("relu.cu", "relu", x, (x, y, 3), grid=(1, 1, 1))


def test_a_launch_happens_when_the_graph_is_launched():
    recorder, graph, x, y = recorded(relu_into)
    assert y.tolist() == [0, 0, 0]
    with recorder.here():
        graph.launch()
    assert y.tolist() == [0, 2, 0]
    x[...] = 5
    with recorder.here():
        graph.launch()
    assert y.tolist() == [5, 5, 5]


def test_an_error_while_recording_is_told_even_if_the_recording_cannot_be_ended(monkeypatch):
    """As in CUDA, where a launch that no graph can hold breaks the recording."""
    end = Stream.end_capture

    def end_capture(stream):
        end(stream)
        raise RuntimeError("cudaErrorStreamCaptureInvalidated")

    def work(x, y):
        if emulator.record is not None:
            raise ZeroDivisionError("the first error")

    monkeypatch.setattr(Stream, "end_capture", end_capture)
    with pytest.raises(ZeroDivisionError, match="the first error"):
        recorded(work)


def test_leaving_waits_even_on_an_error(monkeypatch):
    """Whoever catches it finds the work before it done."""
    waited = []
    recorder = Recorder(0)
    monkeypatch.setattr(Stream, "synchronize", lambda stream: waited.append(stream))
    with pytest.raises(KeyboardInterrupt), recorder.here():
        raise KeyboardInterrupt
    assert waited == [recorder.stream]


def test_memory_in_between_is_kept():
    def twice(x, y):
        between = empty(x, (3,))
        relu_into(x, between)
        relu_into(between, y)

    recorder, graph, _, y = recorded(twice)
    with recorder.here():
        graph.launch()
    assert y.tolist() == [0, 2, 0]


def test_memory_that_was_freed_is_noticed():
    def from_elsewhere(x, y):
        relu_into(kept.pop(), y)

    kept = [device.to_device(X, "cuda") for _ in range(3)]
    recorder, graph, _, _ = recorded(from_elsewhere)
    with recorder.here(), pytest.raises(AssertionError, match="memory that a graph uses has been freed"):
        graph.launch()


def test_memory_that_no_launch_has_written_holds_nan():
    def unwritten(x, y):
        relu_into(empty(x, (3,)), y)

    recorder, graph, _, y = recorded(unwritten)
    with recorder.here():
        graph.launch()
    assert np.isnan(device.to_device(y, "cpu")).all()


@pytest.mark.parametrize(
    ("work", "what"),
    [
        (lambda x, y: x + 1, "add"),
        (lambda x, y: np.maximum(x, 0, out=y), "maximum"),
        (lambda x, y: x.sum(), "add"),
        (lambda x, y: np.zeros_like(x), "zeros_like"),
        (lambda x, y: x.copy(), "copy"),
        (lambda x, y: y.__setitem__(0, 1), r"\[…\] ="),
        (lambda x, y: x[:1].item(), "item"),
        (lambda x, y: device.to_device(x, "cpu"), "get"),
        (lambda x, y: device.to_device(X, "cuda"), "asarray"),
    ],
)
def test_other_work_is_refused(work, what):
    with pytest.raises(AssertionError, match=f"array work that a graph would not repeat here: {what}"):
        recorded(work)


# ---- streams ---------------------------------------------------------------------------------------------------------


def relu_beside(x, y, z, joined=True, kept=True):
    """y = relu(relu(x)) on the branch, z = relu(x) beside it, and then z = relu(y)."""
    middle = [empty(x, x.shape)]
    relu_into(x, middle[0])
    beside(lambda: relu_into(middle[0], y), *(middle if kept else []))
    middle.clear()
    relu_into(x, z)
    if joined:
        meet()
    relu_into(y, z)


def test_a_branch_is_joined_before_its_results_are_used():
    z = device.to_device(np.zeros(3), "cuda")
    recorder, graph, _x, _y = recorded(lambda x, y: relu_beside(x, y, z))
    with recorder.here():
        graph.launch()
    assert z.tolist() == [0, 2, 0]


def test_what_is_used_before_is_noticed():
    z = device.to_device(np.zeros(3), "cuda")
    with pytest.raises(AssertionError, match="relu and relu may run at the same time; one writes what both use"):
        recorded(lambda x, y: relu_beside(x, y, z, joined=False))


def test_what_a_branch_reads_must_not_be_freed_before():
    z = device.to_device(np.zeros(3), "cuda")
    with pytest.raises(AssertionError, match="memory that relu uses is free before it is done"):
        recorded(lambda x, y: relu_beside(x, y, z, kept=False))
