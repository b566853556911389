"""tinyres/study/labs/convergence.py: speed and accuracy of twins of 18 and 34 layers."""

import numpy as np
import pytest

from tinyres.data import shapes
from tinyres.look.summary import count_parameters
from tinyres.study import labs
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("convergence")


def results(plain18=(0.8, 0.6, 0.4, 0.3), residual18=(0.6, 0.4, 0.35, 0.3), plain34=0.4, residual34=0.25):
    """Results like those of compute: curves of four epochs, for two seeds that differ by one point."""

    def runs(errors):
        return [[{"train_error": e + s, "test_error": e + s} for e in errors] for s in (0, 0.01)]

    return {
        "curves": {
            "plain": {"18": runs(plain18), "34": runs((0.8, 0.7, 0.5, plain34))},
            "residual": {"18": runs(residual18), "34": runs((0.8, 0.6, 0.4, residual34))},
        },
        "data": "made up",
    }


class TestSpeed:
    curve = tuple({"train_error": e} for e in (0.7, 0.5, 0.4))

    def test_between_the_epochs(self):
        assert lab.epochs_to(self.curve, 0.5) == 2
        assert lab.epochs_to(self.curve, 0.6) == pytest.approx(1.5)
        assert lab.epochs_to(self.curve, 0.8) == pytest.approx(0.5)  # from 0.9, which is chance, at the start

    def test_never(self):
        assert lab.epochs_to(self.curve, 0.1) == 3

    def test_against_the_twin(self):
        assert lab.speed(results(), "18") == pytest.approx(0.5)  # 0.6 after one epoch, the plain net after two


class TestVerdict:
    def test_as_in_the_paper(self):
        found = lab.verdict(results())
        assert found.reproduced and "+0.00 points at 18 layers and by +15.00 at 34" in found.reason

    @pytest.mark.parametrize(
        "changes",
        [
            {"plain18": (0.8, 0.6, 0.4, 0.35)},
            {"residual18": (0.8, 0.6, 0.4, 0.3)},
            {"residual34": 0.396},
        ],
        ids=["a gain at 18", "no faster", "no gain at 34"],
    )
    def test_not_reproduced(self, changes):
        assert not lab.verdict(results(**changes)).reproduced


def test_twins_begin_alike():
    plain, residual = (lab.network(kind, "18", 10, seed=5) for kind in ("plain", "residual"))
    for a, b in zip(plain.parameters(), residual.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_layers():
    for depth in lab.COUNTS:
        weights = [p for p in lab.network("residual", depth, 10, seed=0).parameters() if p.ndim > 1]
        assert len(weights) == int(depth)
    assert count_parameters(lab.network("plain", "18", 10, 0)) == count_parameters(lab.network("residual", "18", 10, 0))


def test_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "COUNTS", {"18": (1, 1, 1, 1), "34": (1, 1, 1, 1)})
    monkeypatch.setattr(Workbench, "load", lambda bench, *sizes, half: shapes(8, 8))
    bench = Workbench("convergence", LabSettings(seeds=1, epochs=2), tmp_path / "out")
    found = perform(lab, bench)["results"]
    head, rows = lab.table(found)
    assert [row[1] for row in rows] == ["18", "34"] * 2 and {len(row) for row in rows} == {len(head)}


def test_the_picture():
    training, test, end = picture(lab, results()).axes
    assert len(training.lines) == len(test.lines) == 4
    assert training.get_ylim() == test.get_ylim()
    assert {text.get_text() for text in end.get_legend().get_texts()} == {"plain", "residual"}
