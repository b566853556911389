"""tinyres/study/labs/landscape.py: the loss around a trained net."""

import numpy as np
import pytest

from tinyres.data import Loader, shapes
from tinyres.models.resnet import resnet8
from tinyres.study import labs
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("landscape")


class TestDirection:
    @pytest.fixture
    def model(self):
        return resnet8()

    def test_every_filter_is_as_long_as_the_models(self, model):
        found = lab.direction(model, np.random.default_rng(0))
        for name in ("conv1.weight", "layer2.0.conv2.weight", "fc.weight"):
            weight = dict(model.named_parameters())[name].data
            for ours, theirs in zip(found[name], weight, strict=True):
                assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=1e-6)
                assert not np.allclose(ours, theirs)

    def test_a_filter_scaled_is_a_direction_scaled(self, model):
        before = lab.direction(model, np.random.default_rng(0))["conv1.weight"]
        model.conv1.weight.data[3] *= 10
        after = lab.direction(model, np.random.default_rng(0))["conv1.weight"]
        np.testing.assert_allclose(after[3], 10 * before[3], rtol=1e-5)
        np.testing.assert_array_equal(np.delete(after, 3, 0), np.delete(before, 3, 0))

    def test_biases_and_batch_norm_stay(self, model):
        found = lab.direction(model, np.random.default_rng(0))
        still = {name for name, d in found.items() if not d.any()}
        assert still == {name for name in found if "bn" in name or name == "fc.bias"}
        assert found.keys() == dict(model.named_parameters()).keys()


class TestSurface:
    def test_it_moves_and_comes_back(self):
        model, (train, _) = resnet8(), shapes(6, 1)
        before = model.state_dict()
        draws = np.random.default_rng(0)
        loss = lab.surface(model, [lab.direction(model, draws) for _ in range(2)], Loader(train, 6))
        values = [loss(0, 0), loss(0.5, 0), loss(0, 0.5), loss(0, 0)]
        assert values[0] == values[3] and len(set(values)) == 3
        for name, values in model.state_dict().items():
            np.testing.assert_array_equal(values, before[name])  # the running statistics, too

    def test_it_is_the_loss_at_the_moved_weights(self):
        model, (train, _) = resnet8(), shapes(6, 1)
        one, other = (lab.direction(model, np.random.default_rng(k)) for k in range(2))
        expected = lab.surface(model, [one, other], Loader(train, 6))(0.5, -0.25)
        for name, parameter in model.named_parameters():
            parameter.data = parameter.data + np.float32(0.5) * one[name] - np.float32(0.25) * other[name]
        assert lab.evaluate(model, Loader(train, 6).epoch(0)).loss == pytest.approx(expected, rel=1e-6)


class TestNumbers:
    line = staticmethod(lambda function: [function(a) for a in np.linspace(-1, 1, 21)])

    def test_flatness_of_a_line(self):
        assert lab.flatness(self.line(lambda a: 3 + 4 * abs(a))) == pytest.approx(0.25)  # between two points

    def test_flatness_is_the_mean_of_both_ways(self):
        assert lab.flatness(self.line(lambda a: 10 * a if a > 0 else -2 * a)) == pytest.approx((0.1 + 0.5) / 2)

    def test_flatness_ends_with_the_line(self):
        assert lab.flatness(self.line(lambda a: 0.5 * a * a)) == 1

    def test_flatness_counts_the_first_rise(self):
        assert lab.flatness(self.line(lambda a: 100 * a * a if abs(a) < 0.55 else 0.0)) == pytest.approx(0.1)

    def test_dents(self):
        assert lab.dents(self.line(np.square)) == 0
        assert lab.dents(self.line(lambda a: -a * a)) == 1
        assert lab.dents([4, 1, 0, 1, 4, 5, 4]) == 2 / 5  # at the second 4 and at 5

    def test_steps_hold_the_minimum(self):
        assert 0 in lab.steps(lab.LINE) and 0 in lab.steps(lab.GRID)


def results(plain=8.0, residual=2.0, wave=0.0):
    """Results like those of compute: rounded cones of these slopes; the residual one has waves."""
    steps, plane = np.linspace(-1, 1, 21), np.linspace(-1, 1, lab.GRID)
    nets = {}
    for kind, slope, height in (("plain", plain, 1.0), ("residual", residual, wave)):
        line = (0.5 + slope * np.abs(steps) ** 1.01 + height * np.sin(20 * steps) ** 2).tolist()
        run = {"end": {"test_error": 0.1}, "lines": [line, line]}
        surface = 0.5 + slope * np.hypot(*np.meshgrid(plane, plane))
        nets[kind] = [{**run, "plane": surface.tolist()}, run, run]
    return {"nets": nets, "depth": 8, "data": "made up"}


class TestVerdict:
    def test_as_in_the_paper(self):
        assert lab.verdict(results()).reproduced

    @pytest.mark.parametrize(
        "changes",
        [{"residual": 14.0}, {"plain": 2.0, "residual": 8.0}, {"wave": 1.0}],
        ids=["alike", "steeper", "dents"],
    )
    def test_not_reproduced(self, changes):
        assert not lab.verdict(results(**changes)).reproduced


def test_it_runs_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "DEPTHS", (8, 8))
    monkeypatch.setattr(lab, "IMAGES", 4)
    monkeypatch.setattr(lab, "LINE", 5)
    monkeypatch.setattr(lab, "GRID", 3)
    monkeypatch.setattr(Workbench, "load", lambda bench, *sizes, half: shapes(8, 4))
    settings = LabSettings(seeds=2, epochs=1)
    found = perform(lab, Workbench("landscape", settings, tmp_path / "out"))["results"]
    for kind in ("plain", "residual"):
        first, second = found["nets"][kind]
        assert np.shape(first["lines"]) == (2, 5) and np.shape(first["plane"]) == (3, 3) and "plane" not in second
        assert first["plane"][1] == pytest.approx(first["lines"][0][::2])  # through the minimum, along α
        assert first["lines"][0][2] == first["lines"][1][2]
    head, rows = lab.table(found)
    assert len(rows) == 4 and {len(row) for row in rows} == {len(head)}

    next((tmp_path / "out" / "parts").glob("residual-seed-1*")).unlink()  # the second run uses the saved weights
    assert perform(lab, Workbench("landscape", settings, tmp_path / "out"))["results"] == found


def test_the_picture():
    plain, residual, lines, bar = picture(lab, results()).axes
    assert plain.collections[0].get_clim() == residual.collections[0].get_clim()  # one scale of colours
    assert bar.get_ylabel() == "loss, in both planes" and len(lines.lines) == 12
