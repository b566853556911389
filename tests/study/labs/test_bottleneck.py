"""tinyres/study/labs/bottleneck.py: basic and bottleneck blocks, with identities and with projections."""

import pytest

from tinyres.data import shapes
from tinyres.look.summary import count_parameters
from tinyres.models.resnet import cifar_resnet
from tinyres.study import labs
from tinyres.study.labs import cost
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("bottleneck")
UNIT = 16 * 16 * 32 * 32  # w² at every pixel: a 1×1 convolution from w to w channels, the same in every stage


def results(errors=((20, 21), (16, 17), (16, 17)), multiply_adds=(40, 42, 42, 70), step=(10, 14, 11, 20), block=None):
    """Results like those of compute. The errors, in percent, are of the three trained nets; the rest is of all four."""
    return {
        "n": 3,
        "data": "made up",
        "block": dict(zip(lab.NETS, block or (18, 17 + 2, 17, 33), strict=True)),
        "cost": {
            name: {"parameters": 1, "multiply_adds": adds, "step_ms": ms}
            for name, adds, ms in zip(lab.NETS, multiply_adds, step, strict=True)
        },
        "curves": {
            name: [[{"test_error": error / 100}] * 2 for error in seeds]
            for name, seeds in zip(lab.TRAINED, errors, strict=True)
        },
    }


class TestCosts:
    def test_a_block(self):
        assert lab.block_costs() == {
            "basic, identity": 18 * UNIT,
            "basic, projection": 19 * UNIT,
            "bottleneck, identity": 17 * UNIT,
            "bottleneck, projection": 33 * UNIT,
        }

    def test_the_nets(self):
        found = {name: cost.multiply_adds(lab.network(name, 3, 10), (3, 32, 32)) for name in lab.NETS}
        stem = 3 * 16 * 9 * 32 * 32
        assert found["basic, identity"] == stem + (54 + 2 * 49.5) * UNIT + 640
        # the first block of stage 1 reads 16 channels instead of 64; those of the others twice as many, on 4 times
        # the pixels, for the stride comes after
        inner = [1 + 9 + 4, 17, 17, *[8 + 9 + 4, 17, 17] * 2]
        assert found["bottleneck, identity"] == stem + sum(inner) * UNIT + 256 * 10
        projections = [4, 16, 16, *[8, 16, 16] * 2]
        assert found["bottleneck, projection"] == found["bottleneck, identity"] + sum(projections) * UNIT

    def test_basic_with_identities_is_the_papers_net(self):
        assert count_parameters(lab.network("basic, identity", 3, 10)) == count_parameters(cifar_resnet(20, 10, "A"))

    def test_depth(self):
        assert [lab.depth(name, 3) for name in lab.NETS] == [20, 20, 29, 29]


class TestVerdict:
    def test_as_in_the_paper(self):
        assert lab.verdict(results()).reproduced

    @pytest.mark.parametrize(
        "changes",
        [
            {"errors": ((20, 21), (20, 21), (20, 21))},
            {"errors": ((20, 21), (16, 17), (10, 11))},
            {"multiply_adds": (40, 42, 50, 80)},
            {"step": (10, 20, 11, 20)},
            {"block": (18, 19, 17, 25)},
            {"block": (18, 27, 17, 33)},
        ],
        ids=[
            "no gain",
            "projections gain",
            "not the same cost",
            "step",
            "bottleneck's projection",
            "basic's projection",
        ],
    )
    def test_not_reproduced(self, changes):
        assert not lab.verdict(results(**changes)).reproduced


def test_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "SIZES", (1, 1))
    monkeypatch.setattr(cost, "BATCH", 2)
    monkeypatch.setattr(cost, "TURNS", 1)
    monkeypatch.setattr(Workbench, "load", lambda bench, *sizes, half: shapes(8, 8))
    bench = Workbench("bottleneck", LabSettings(seeds=2, epochs=1), tmp_path / "out")
    found = perform(lab, bench)["results"]
    assert {name: len(runs) for name, runs in found["curves"].items()} == dict.fromkeys(lab.TRAINED, 2)
    head, rows = lab.table(found)
    assert [row[0] for row in rows] == lab.NETS and {len(row) for row in rows} == {len(head)}
    assert rows[1][-1] == "not trained"


def test_the_picture():
    block, step, error = picture(lab, results()).axes
    assert [bar.get_height() for bar in step.patches] == [10, 14, 11, 20]
    assert len(block.patches) == 4 and len(error.lines) == 3
