"""tinyres/study/labs/shortcuts.py: options A, B, C, none, and blocks of one layer."""

import numpy as np
import pytest

from tinyres.autograd import Tensor
from tinyres.data import shapes
from tinyres.look.summary import count_parameters
from tinyres.random import manual_seed
from tinyres.study import labs
from tinyres.study.labs import cost
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("shortcuts")


def results(**errors):
    """Results like those of compute with these test errors in percent, a list over the seeds for each net."""
    errors = {"none": [30, 31], "A": [25, 26], "B": [24.5, 25.5], "C": [24, 25], "one layer": [30, 31], **errors}

    def curve(error):
        return [{"train_error": 0.2, "test_error": error / 100}] * 2

    return {
        "depth": 20,
        "data": "made up",
        "cost": {name: {"parameters": 1, "multiply_adds": 1, "step_ms": 1.0} for name in lab.NETS},
        "curves": {name: [curve(error) for error in errors[name]] for name in lab.NETS},
    }


class TestNets:
    def test_parameters(self):
        found = {name: count_parameters(make(20, 10)) for name, make in lab.NETS.items()}
        # C: w² weights and 2w for batch norm at every block; the first of a stage reads half as many channels
        widths = {16: 16, 32: 16, 64: 32}
        everywhere = sum(3 * 2 * w + 2 * w * w + first * w for w, first in widths.items())
        assert found == {
            "none": 269_722,
            "A": 269_722,
            "B": 269_722 + 2_752,
            "C": 269_722 + everywhere,
            "one layer": 269_722,
        }

    def test_multiply_adds(self):
        found = {name: cost.multiply_adds(make(20, 10), (3, 32, 32)) for name, make in lab.NETS.items()}
        unit = 16 * 16 * 32 * 32  # of a 1×1 convolution, at every stage the same
        assert found["none"] == found["A"] == found["one layer"] == 9 * (3 * unit // 16 + (6 + 5.5 + 5.5) * unit) + 640
        assert found["B"] == found["A"] + unit  # two at half a unit each, for they read half as many channels
        assert found["C"] == found["A"] + 8 * unit

    def test_one_layer_begins_as_the_plain_net(self):
        states = []
        for name in ("none", "one layer", "A"):
            manual_seed(3)
            states.append([p.data for p in lab.NETS[name](8, 10).parameters()])
        for other in states[1:]:
            for ours, theirs in zip(states[0], other, strict=True):
                np.testing.assert_array_equal(ours, theirs)

    def test_a_block_of_one_layer(self):
        block = lab.OneLayerBlock(4, 4, 1)
        x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 5)).astype(np.float32))
        expected = np.maximum(block.bn1(block.conv1(x)).data + x.data, 0)
        np.testing.assert_allclose(block(x).data, expected, rtol=1e-5, atol=1e-6)
        assert lab.OneLayerBlock(4, 8, 2)(x).shape == (2, 8, 3, 3)


class TestVerdict:
    def test_as_in_the_paper(self):
        assert lab.verdict(results()).reproduced

    @pytest.mark.parametrize(
        "errors",
        [
            {"A": [29.9, 30.9]},  # no gain
            {"A": [20, 40]},  # a gain, but less than the deviation over the seeds
            {"C": [4, 5]},  # projections matter more than the addition
            {"one layer": [25, 26]},  # one layer is enough
        ],
        ids=["no gain", "noise", "projections", "one layer"],
    )
    def test_not_reproduced(self, errors):
        assert not lab.verdict(results(**errors)).reproduced


def test_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "DEPTHS", (8, 8))
    monkeypatch.setattr(cost, "BATCH", 2)
    monkeypatch.setattr(cost, "TURNS", 1)
    monkeypatch.setattr(Workbench, "load", lambda bench, *sizes, **how: shapes(8, 8))
    bench = Workbench("shortcuts", LabSettings(seeds=2, epochs=1), tmp_path / "out")
    found = perform(lab, bench)["results"]
    assert {name: len(runs) for name, runs in found["curves"].items()} == dict.fromkeys(lab.NETS, 2)
    head, rows = lab.table(found)
    assert [row[0] for row in rows] == list(lab.NETS) and {len(row) for row in rows} == {len(head)}


def test_the_picture():
    curves, ends, bars = picture(lab, results()).axes
    assert [line.get_label() for line in curves.lines] == list(lab.NETS)
    assert ends.lines[0].get_ydata().tolist() == [30, 31]
    assert len(bars.patches) == 3 * len(lab.NETS)
