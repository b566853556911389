"""tinyres/study/labs/gates.py: the gates are measured correctly, and the verdict follows them."""

import numpy as np
import pytest

from tinyres.data import shapes
from tinyres.models.highway import cifar_highway
from tinyres.nn import init
from tinyres.study import labs
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("gates")


def seen(mean, selectivity, biases):
    return {"mean": mean, "selectivity": selectivity, "open": mean, "biases": biases}


def results(bias=-2.5, selectivity=0.3, mean=0.2, error=0.1, limit=0.0):
    """Results like those of compute, for two layers with two gates each; the arguments are values after training."""
    run = {
        "before": seen([0.12, 0.12], [0.1, 0.1], [[-2.0, -2.0]] * 2),
        "after": seen([mean, mean], [selectivity, selectivity], [[bias, bias], [bias, -1.9]]),
        "curve": [{"test_error": error}],
    }
    return {"depth": 8, "data": "made up", "limits": {"shut, y": limit, "open, y": 0.0}, "runs": [run] * 3}


class TestLimits:
    def test_to_the_bit(self):
        assert lab.limits() == {"shut, y": 0, "shut, gx": 0, "open, y": 0, "open, gx": 0}

    def test_gates_half_open_are_neither(self, monkeypatch):
        constant = init.constant_
        monkeypatch.setattr(lab.init, "constant_", lambda tensor, value: constant(tensor, 0.0))
        assert min(lab.limits().values()) > 0.1


class TestObserveGates:
    def see(self, bias, weight):
        model = cifar_highway(8, 10, bias)
        for layer in lab.highway_layers(model):
            layer.gate.get_submodule("0").weight.data *= weight
        images = np.random.default_rng(0).standard_normal((6, 3, 8, 8)).astype(np.float32)
        return lab.observe_gates(model, images), model

    def test_gates_that_see_nothing(self):
        found, _ = self.see(-2.0, weight=0)
        assert found["mean"] == pytest.approx([1 / (1 + np.exp(2))] * 4)
        assert found["selectivity"] == [0] * 4 and found["open"] == [0] * 4
        assert found["biases"] == [[-2.0] * width for width in (16, 16, 32, 64)]

    def test_gates_that_see_their_input(self):
        found, _ = self.see(0.0, weight=1000)  # shut or open by the input's sign
        assert min(found["selectivity"]) > 0.1
        assert found["mean"] == pytest.approx(found["open"], abs=0.02)

    def test_the_hooks_are_gone(self):
        _, model = self.see(-2.0, weight=1)
        assert not any(module.forward_hooks for module in model.modules())


class TestVerdict:
    def test_as_in_the_paper(self):
        assert lab.verdict(results()).reproduced

    @pytest.mark.parametrize(
        "changes",
        [{"bias": -1.5}, {"selectivity": 0.05}, {"mean": 0.7}, {"error": 0.85}, {"limit": 1e-12}],
        ids=["biases rose", "less selective", "open", "nothing learnt", "not exact"],
    )
    def test_not_reproduced(self, changes):
        assert not lab.verdict(results(**changes)).reproduced


def test_final_biases():
    assert lab.final_biases(results()["runs"][0]).tolist() == [-2.5, -2.5, -2.5, -1.9]


def test_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "DEPTHS", (8, 8))
    monkeypatch.setattr(Workbench, "load", lambda bench, *sizes, half: shapes(8, 8))
    found = perform(lab, Workbench("gates", LabSettings(seeds=2, epochs=4), tmp_path / "out"))["results"]
    head, rows = lab.table(found)
    assert [row[0] for row in rows] == [1, 2, 3, 4] and {len(row) for row in rows} == {len(head)}
    before, after = (found["runs"][0][when]["biases"][0] for when in ("before", "after"))
    assert before == [-2.0] * 16 and after != before


def test_the_picture():
    opened, selective, biases = picture(lab, results()).axes
    assert [line.get_label() for line in opened.lines] == ["before training", "after training"]
    assert selective.lines[1].get_ydata().tolist() == [0.3, 0.3]
    assert biases.get_title() == "where the biases end"
