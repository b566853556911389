"""tinyres/study/labs/degradation.py: the verdict follows the errors; twins share weights and batches."""

import json

import numpy as np
import pytest

from tinyres.study import labs
from tinyres.study.labs.fit import chance, fit
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.twins import trained_twin, twin
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("degradation")


def results(**errors):
    """Results with these training errors in percent after the last epoch, for three seeds each."""
    errors = {
        "plain": {"8": [10, 11, 12], "44": [20, 21, 22]},
        "residual": {"8": [9, 10, 11], "44": [8, 9, 10]},
    } | errors

    def run(error):
        return [{"train_error": 0.9, "test_error": 0.9}, {"train_error": error / 100, "test_error": error / 100 + 0.01}]

    curves = {kind: {d: [run(e) for e in seeds] for d, seeds in nets.items()} for kind, nets in errors.items()}
    return {"curves": curves, "epochs": 2, "data": "made up"}


class TestVerdict:
    def test_reproduced(self):
        found = lab.verdict(results())
        assert found.reproduced and "moves by +10.00 points in plain nets and by -1.00 in residual" in found.reason

    @pytest.mark.parametrize(
        "errors",
        [
            {"plain": {"8": [10, 11, 12], "44": [10.5, 11.5, 12.5]}},  # deeper is worse, but within the spread
            {"residual": {"8": [9, 10, 11], "44": [20, 21, 22]}},  # the addition does not help
            {"residual": {"8": [1, 1, 1], "44": [15, 15.1, 15.2]}},  # depth harms it more than the plain net
        ],
    )
    def test_not_reproduced(self, errors):
        assert not lab.verdict(results(**errors)).reproduced


def test_it_writes_what_it_found(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "compute", lambda bench: results())
    assert perform(lab, Workbench("degradation", LabSettings(), tmp_path))["reproduced"] is True
    assert json.loads((tmp_path / "results.json").read_text())["reproduced"] is True


def test_the_table_and_the_picture():
    head, rows = lab.table(results())
    assert rows[1] == ["plain", "44", "21.00 ± 1.00", "22.00 ± 1.00", "–"] and len(head) == 5
    axes = picture(lab, results()).axes
    assert [line.get_label() for line in axes[0].lines if not line.get_label().startswith("_")] == [
        "8 layers",
        "44 layers",
    ]


def test_twins_begin_alike():
    plain, residual = (twin(kind, 14, 10, seed=5) for kind in ("plain", "residual"))
    for a, b in zip(plain.parameters(), residual.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_it_learns_and_repeats(tmp_path):
    bench = Workbench("degradation", LabSettings(images=64), tmp_path)
    bench.open()
    sets = bench.load((None, 32), half=False)
    assert [len(s) for s in sets] == [64, 32]
    lines = []
    for _ in range(2):
        lines.append(trained_twin(bench, "residual", 8, 0, sets, 3)[1])
        for path in (tmp_path / "nets").iterdir():
            path.unlink()  # train it again
    assert lines[0] == lines[1] and len(lines[0]) == 3
    assert lines[0][-1]["train_loss"] < lines[0][0]["train_loss"]


def test_a_net_that_diverges_counts_as_one_that_knows_nothing(tmp_path):
    bench = Workbench("degradation", LabSettings(images=64), tmp_path)
    bench.open()
    model = twin("plain", 8, 10, 0)
    model.fc.weight.data[:] = np.nan
    lines = fit(model, *bench.load((None, 32), half=False), epochs=2)
    assert lines == [chance(10)] * 2 and lines[0]["test_error"] == 0.9
