"""tinyres/study/labs/cost.py and scores.py: the cost of nets, and when one net is better."""

import numpy as np
import pytest

from tinyres.models.resnet import BasicBlock, resnet8
from tinyres.nn import Conv2d
from tinyres.study.labs import cost, scores


def test_multiply_adds_of_a_convolution():
    assert cost.multiply_adds(Conv2d(3, 5, 3, padding=1), (3, 8, 8)) == 5 * 3 * 9 * 64


def test_multiply_adds_of_a_block():
    assert cost.multiply_adds(BasicBlock(16, 16, 1, "A"), (16, 32, 32)) == 2 * 16 * 16 * 9 * 1024


def test_costs(monkeypatch):
    monkeypatch.setattr(cost, "BATCH", 2)
    monkeypatch.setattr(cost, "TURNS", 1)
    found = cost.costs({"A": resnet8(), "B": resnet8(shortcut="B")}, 10)
    assert found["B"]["parameters"] == found["A"]["parameters"] + 2752
    assert found["B"]["multiply_adds"] == found["A"]["multiply_adds"] + 16 * 32 * 256 + 32 * 64 * 64
    assert all(net["step_ms"] > 0 for net in found.values())


def test_the_nets_take_turns(monkeypatch):
    order = []
    monkeypatch.setattr(cost, "BATCH", 2)
    monkeypatch.setattr(cost, "TURNS", 2)
    monkeypatch.setattr(cost, "WARM_UP", 1)
    monkeypatch.setattr(cost, "train_step", lambda net, *rest: order.append(net))
    one, other = resnet8(), resnet8()
    cost.costs({"one": one, "other": other}, 10)
    assert order == [one, other] * 3


def test_the_time_is_the_median_of_the_turns_that_count(monkeypatch):
    taken = iter([100.0, 1.0, 3.0, 2.0])  # seconds; the first is the warm-up
    now = [0.0]

    def step(net, *rest):
        now[0] += next(taken)

    monkeypatch.setattr(cost, "BATCH", 2)
    monkeypatch.setattr(cost, "TURNS", 3)
    monkeypatch.setattr(cost, "WARM_UP", 1)
    monkeypatch.setattr(cost, "train_step", step)
    monkeypatch.setattr(cost, "perf_counter", lambda: now[0])
    assert cost.costs({"net": resnet8()}, 10)["net"]["step_ms"] == 2000


class TestScores:
    def test_last(self):
        runs = [[{"test_error": 0.9}, {"test_error": 0.25}], [{"test_error": 0.8}, {"test_error": 0.5}]]
        assert scores.last(runs).tolist() == [25, 50]

    def test_spread(self):
        assert scores.spread(np.array([1.0, 3.0])) == pytest.approx(np.sqrt(2))  # divided by n − 1
        assert scores.spread(np.array([7.0])) == 0

    def test_better_is_beyond_the_larger_spread(self):
        wide, narrow = np.array([8.0, 10.0, 12.0]), np.array([6.9, 7.0, 7.1])
        assert scores.better(narrow, wide) and not scores.better(wide, narrow)  # 3 apart, deviation 2
        assert not scores.better(narrow + 1.5, wide)  # 1.5 apart
        assert not scores.better(narrow, narrow)
