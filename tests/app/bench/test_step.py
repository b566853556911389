"""The measured step is a training step, and its parts add up to the whole."""

import numpy as np
import pytest

from tinyres.app.bench import step
from tinyres.app.bench.stopwatch import WARM_UP, seconds


@pytest.fixture(autouse=True)
def array_rung(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")


def test_the_stopwatch_leaves_the_warm_up_out():
    calls = []
    assert len(seconds(lambda: calls.append(1), repeats=4)) == 4
    assert len(calls) == WARM_UP + 4


def test_a_step_trains():
    training = step.Training("resnet8", batch_size=2)
    before = [parameter.numpy().copy() for parameter in training.model.parameters()]
    training.step()
    assert all((old != new.numpy()).any() for old, new in zip(before, training.model.parameters(), strict=True))


def test_the_forward_pass_records_nothing():
    training = step.Training("resnet8", batch_size=2)
    training.model.eval()
    training.forward()
    assert all(parameter.grad is None for parameter in training.model.parameters())


def test_measure():
    measured = step.measure("resnet8", batch_size=2, repeats=2)
    assert (len(measured["step"]), len(measured["forward"])) == (2, 2)
    assert measured["memory"] is None or measured["memory"] > 2**20
    assert step.measure("resnet8", batch_size=1, repeats=1, forward_only=True).keys() == {"forward", "memory"}


def test_the_parts_add_up_to_the_step(monkeypatch):
    """The clock moves by a millisecond at each reading."""
    ticks = iter(np.arange(0, 100, 1e-3))
    looked = []
    monkeypatch.setattr(step, "perf_counter", lambda: looked.append(next(ticks)) or looked[-1])
    rows = step.by_op("resnet8", batch_size=2, repeats=2)
    total = sum(row[f"{phase}_ms"] for row in rows for phase in ("forward", "backward", "update"))
    assert total == pytest.approx(1e3 * (looked[-1] - looked[0]) / 2)
    by_name = {row["op"]: row for row in rows}
    assert by_name["Conv2d"]["forward_ms"] == pytest.approx(7)  # 7 convolutions, a tick each
    assert by_name["Conv2d"]["backward_ms"] == pytest.approx(7)
    assert by_name["SGD"] == {"op": "SGD", "forward_ms": 0, "backward_ms": 0, "update_ms": pytest.approx(1)}
    taken = [sum(value for value in row.values() if not isinstance(value, str)) for row in rows]
    assert taken == sorted(taken, reverse=True)
