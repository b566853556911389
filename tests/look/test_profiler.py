"""tinyres/look/profiler.py: times go to the right op, and the table shows them."""

import threading

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, modes
from tinyres.look import profiler
from tinyres.look.profiler import Row
from tinyres.nn import functional as F
from tinyres.nn import fused


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when a test sets `clock.now`, in seconds."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(profiler, "perf_counter", lambda: Clock.now)
    return Clock


def slow(clock, name, forward, backward):
    """An op that takes this many seconds."""

    class Slow(tinyres.Op):
        def forward(self, x):
            clock.now += forward
            return x * 1

        def backward(self, gy):
            clock.now += backward
            return gy

    Slow.__name__ = name
    return lambda x: Slow()(x)


def test_every_figure(clock):
    first, second = slow(clock, "First", 1, 2), slow(clock, "Second", 3, 10)
    small, large = (Tensor(np.ones(shape), requires_grad=True) for shape in ((2,), (3, 4)))
    with tinyres.profile() as p:
        clock.now += 7  # between the ops
        y = second(second(first(small)))
        first(large)
        y.backward(np.ones(2))
    assert p.rows() == [
        Row("Second", 2, 6000, 20000, 26 / 30, ((2,),)),
        Row("First", 2, 2000, 2000, 4 / 30, ((2,),)),
    ]
    assert p.seconds == 37
    assert p.by_shapes["First", ((3, 4),)] == profiler.Times(calls=1, forward=1, backward=0)


def test_the_table(clock):
    op = slow(clock, "AnOpWithARatherLongName", 0.25, 0.5)
    with tinyres.profile() as p:
        op(Tensor([1.0], requires_grad=True)).backward()
        slow(clock, "Short", 0.25, 0)(Tensor([[1.0], [2.0]]))
    assert str(p).splitlines() == [
        "op                        calls  forward ms  backward ms  share  slowest shapes",
        "───────────────────────────────────────────────────────────────────────────────",
        "AnOpWithARatherLongName       1      250.00       500.00    75%  (1,)",
        "Short                         1      250.00         0.00    25%  (2, 1)",
        "───────────────────────────────────────────────────────────────────────────────",
        "total                         2      500.00       500.00   100%",
        "1000.00 of 1000.00 ms; the rest was spent between the ops",
    ]


def test_a_real_step():
    x, w = Tensor(np.ones((2, 3, 8, 8)), requires_grad=True), Tensor(np.ones((4, 3, 3, 3)), requires_grad=True)
    with tinyres.profile() as p:
        F.relu(F.conv2d(x, w)).sum().backward()
    rows = {row.op: row for row in p.rows()}
    assert rows.keys() == {"Conv2d", "ReLU", "Sum"}
    assert rows["Conv2d"].slowest == ((2, 3, 8, 8), (4, 3, 3, 3))
    assert all(row.calls == 1 and row.forward_ms > 0 and row.backward_ms > 0 for row in rows.values())
    assert sum(row.share for row in rows.values()) == pytest.approx(1)
    assert sum(row.forward_ms + row.backward_ms for row in rows.values()) < 1e3 * p.seconds


def test_without_gradients_and_op_by_op():
    norm, x = tinyres.nn.BatchNorm2d(3), Tensor(np.ones((2, 3, 4, 4), "f4"))
    with tinyres.profile() as p, tinyres.no_grad(), tinyres.unfused():
        fused.batch_norm_relu(x, norm.next_batch(x))
    assert {row.op: row.backward_ms for row in p.rows()} == {"BatchNorm": 0, "ReLU": 0}


def test_no_ops_no_rows():
    with tinyres.profile() as p:
        pass
    assert p.rows() == []
    assert len(str(p).splitlines()) == 5


def test_nested_each_has_its_own():
    x = Tensor([1.0])
    with tinyres.profile() as outer:
        x.exp()
        with tinyres.profile() as inner:
            x.exp()
    assert (outer.rows()[0].calls, inner.rows()[0].calls) == (2, 1)


def test_over_after_an_error_and_in_other_threads():
    with pytest.raises(KeyError), tinyres.profile() as p:
        thread = threading.Thread(target=Tensor([1.0]).exp)
        thread.start()
        thread.join()
        raise KeyError
    assert modes.mode.observers == ()
    assert p.rows() == [] and p.seconds > 0
