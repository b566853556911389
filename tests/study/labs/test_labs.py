"""What all labs share: their texts, the command line, and the workbench with its parts and nets. And two short labs."""

import json

import numpy as np
import pytest

from tinyres.app.cli import main
from tinyres.app.training import RunError
from tinyres.data import shapes
from tinyres.study import labs
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.twins import sizes_of, twin
from tinyres.study.labs.workbench import LabSettings, Workbench


@pytest.mark.parametrize("name", labs.NAMES)
def test_a_lab_says_what_it_claims(name):
    lab = labs.find(name)
    for word in ("Claim.", "Source.", "Reproduced if"):
        assert word in lab.__doc__
    assert lab.TITLE and lab.MINUTES <= 5


def test_the_list(capsys):
    assert main(["lab", "--list"]) == 0
    shown = capsys.readouterr().out
    for name in labs.NAMES:
        assert f"{name} " in shown and labs.find(name).TITLE in shown


def test_an_unknown_lab():
    with pytest.raises(ValueError, match="unknown lab 'chains'; did you mean chain"):
        labs.find("chains")


def test_no_name(capsys):
    with pytest.raises(SystemExit):
        main(["lab"])
    assert "expected the name of a lab, or --list" in capsys.readouterr().err


def test_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "lab"
    assert main(["lab", "one-by-one", "--seed", "3", "--out", str(out), "--quiet"]) == 0
    assert "reproduced: " in capsys.readouterr().out
    report = json.loads((out / "results.json").read_text())
    assert report["settings"]["seed"] == 3 and report["reproduced"] is True and report["seconds"] > 0
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")


class TestWorkbench:
    def bench(self, folder, **settings):
        bench = Workbench("chain", LabSettings(**settings), folder)
        bench.open()
        return bench

    def test_a_part_is_computed_once(self, tmp_path):
        calls = []
        for _ in range(2):
            value = self.bench(tmp_path).part("plain 20", lambda: calls.append(1) or {"error": [0.5]})
            assert value == {"error": [0.5]}
        assert len(calls) == 1

    def test_a_part_that_failed_is_computed_again(self, tmp_path):
        with pytest.raises(KeyError):
            self.bench(tmp_path).part("a", lambda: {}["missing"])
        assert self.bench(tmp_path).part("a", lambda: 3) == 3

    def test_time_that_was_spent_before_counts(self, tmp_path):
        first = self.bench(tmp_path)
        first.part("a", lambda: first.kept.__iadd__(100).tolist())  # as if it had used nets that took 100 seconds
        assert first.spent()[0] > 100
        again = self.bench(tmp_path)
        again.part("a", dict)
        assert (again.spent() > 100).all()

    def test_a_part_does_not_depend_on_those_before_it(self, tmp_path):
        from tinyres.random import next_generator

        def draw():
            return float(next_generator("x").normal())

        first = self.bench(tmp_path / "1")
        together = [first.part("a", draw), first.part("b", draw)]
        assert self.bench(tmp_path / "2").part("b", draw) == together[1]

    def test_other_settings_are_refused(self, tmp_path):
        self.bench(tmp_path, seed=1)
        with pytest.raises(RunError, match="holds a lab with other settings; choose another --out"):
            self.bench(tmp_path, seed=2)
        self.bench(tmp_path, seed=1, threads=2, nets="elsewhere")  # these do not change the results

    def test_somebody_elses_folder_is_refused(self, tmp_path):
        (tmp_path / "letter.txt").write_text("dear")
        with pytest.raises(RunError, match="is not empty and holds no lab"):
            self.bench(tmp_path)

    def test_sizes(self, tmp_path):
        assert self.bench(tmp_path / "small").choose(1, 2) == 1
        assert self.bench(tmp_path / "full", full=True).choose(1, 2) == 2
        assert self.bench(tmp_path / "seeds", seed=5, seeds=3).seeds(1, 9) == range(5, 8)
        assert self.bench(tmp_path / "epochs", epochs=7).epochs(1, 9) == 7


class TestNets:
    def bench(self, folder, **settings):
        bench = Workbench("chain", LabSettings(**settings), folder)
        bench.open()
        return bench

    def train(self, bench, sets, monkeypatch, **how):
        """(weights, curve, whether the net was trained rather than loaded)"""
        from tinyres.study.labs import workbench

        fitted = []
        fit = workbench.fit
        monkeypatch.setattr(workbench, "fit", lambda *args, **named: fitted.append(1) or fit(*args, **named))
        settings = {"seed": 0, "epochs": 1, **how}
        net, curve = bench.trained("plain 8", lambda seed: twin("plain", 8, 10, seed), sets, **settings)
        monkeypatch.setattr(workbench, "fit", fit)
        return net.state_dict(), curve, bool(fitted)

    def test_labs_share_them(self, tmp_path, monkeypatch):
        sets, nets = shapes(8, 4), str(tmp_path / "nets")
        weights, curve, new = self.train(self.bench(tmp_path / "1", nets=nets), sets, monkeypatch)
        assert new and len(curve) == 1
        other = self.bench(tmp_path / "2", nets=nets)
        same, same_curve, new = self.train(other, sets, monkeypatch)
        assert not new and same_curve == curve and (other.kept > 0).all()
        for name, values in weights.items():
            np.testing.assert_array_equal(same[name], values)  # the running statistics, too

    def test_only_the_same_ones(self, tmp_path, monkeypatch):
        sets = shapes(8, 4)
        bench = self.bench(tmp_path)
        assert self.train(bench, sets, monkeypatch)[2]
        assert not self.train(bench, sets, monkeypatch)[2]
        for how in ({"seed": 1}, {"epochs": 2}, {"augment": False}):
            assert self.train(bench, sets, monkeypatch, **how)[2]
        assert self.train(bench, (sets[0].take(slice(6)), sets[1]), monkeypatch)[2]
        assert self.train(bench, (sets[0], sets[1].take(slice(2))), monkeypatch)[2]  # its errors are in the curve

    def test_without_a_place_they_stay_in_the_labs_folder(self, tmp_path, monkeypatch):
        self.train(self.bench(tmp_path), shapes(8, 4), monkeypatch)
        assert [path.suffix for path in (tmp_path / "nets").iterdir()] == [".safetensors"]


def test_images_are_halved_as_the_settings_say(tmp_path, monkeypatch):
    monkeypatch.setattr("tinyres.data.load", lambda *args, **named: shapes(4, 2))
    default, full, half = (
        Workbench("chain", settings, tmp_path)
        for settings in (LabSettings(), LabSettings(full=True), LabSettings(full=True, half=True))
    )
    for sets in (full.load((3, 1)), default.load((4, 2), half=False)):
        assert [each.images.shape[2:] for each in sets] == [(32, 32)] * 2
    for sets in (default.load((4, 2)), half.load((3, 1)), full.load((3, 1), half=True), half.load((3, 1), half=False)):
        assert [each.images.shape[2:] for each in sets] == [(16, 16)] * 2
    assert sizes_of(*default.load((3, 1))) == "3 images of shapes (16×16), tested on 1"
    assert sizes_of(*full.load((3, 1))) == "4 images of shapes, tested on 2"


class TestChain:
    lab = labs.find("chain")

    @pytest.fixture
    def results(self, tmp_path):
        return perform(self.lab, Workbench("chain", LabSettings(), tmp_path / "out"))["results"]

    def test_reproduced(self, results):
        assert self.lab.verdict(results).reproduced

    def test_the_four_ways_agree_for_every_activation(self):
        for name in self.lab.ACTIVATIONS:
            for skip in (0.0, 1.0):
                ways = [way(0.7, 0.2, [0.5, 0.9, 0.3], name, skip) for way in self.lab.WAYS.values()]
                for way in ways:
                    assert way == pytest.approx(ways[0], abs=1e-10)

    def test_a_wrong_way_is_noticed(self, results):
        results["four_ways"]["w"]["recursion"][1] *= 1.001
        assert not self.lab.verdict(results).reproduced

    def test_the_picture(self, results):
        axes = picture(self.lab, results).axes
        assert [line.get_label() for line in axes[0].lines] == ["sigmoid", "tanh", "relu"]

    def test_growth(self):
        assert self.lab.growth(1.5, 3) == 1.5**3
        assert self.lab.growth(1.5, 218) == pytest.approx(1.5**218, rel=1e-4) and self.lab.growth(1.5, 219) == np.inf


class TestOneByOne:
    lab = labs.find("one-by-one")

    def test_a_difference_is_noticed(self, tmp_path):
        results = perform(self.lab, Workbench("one-by-one", LabSettings(), tmp_path / "out"))["results"]
        assert self.lab.verdict(results).reproduced
        results["differences"]["gw"] = 1e-9
        assert not self.lab.verdict(results).reproduced
