"""tinyres/study/labs/lesion.py: blocks are removed and restored, and the verdict follows the errors."""

import numpy as np
import pytest

from tinyres import Tensor, no_grad
from tinyres.data import shapes
from tinyres.nn import Identity
from tinyres.nn import functional as F
from tinyres.study import labs
from tinyres.study.labs.lab import perform, picture
from tinyres.study.labs.twins import twin
from tinyres.study.labs.workbench import LabSettings, Workbench

lab = labs.find("lesion")


def scores(model):
    images = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)
    with no_grad():
        return model.eval()(Tensor(images)).data


def net(kind):
    return lab.vgg(10, seed=0) if kind == "VGG" else twin(kind, 14, 10, seed=0)


@pytest.mark.parametrize("kind", ["plain", "VGG", "residual"])
def test_surgery_leaves_no_trace(kind):
    model = net(kind)
    before, path = scores(model), next(iter(lab.blocks(model).values()))
    with lab.replaced(model, {path: lab.without(model.get_submodule(path))}):
        assert not np.array_equal(scores(model), before)
    np.testing.assert_array_equal(scores(model), before)


def test_only_blocks_that_keep_the_shape():
    expected = {"1.0": "layer1.0", "1.1": "layer1.1", "2.1": "layer2.1", "3.1": "layer3.1"}
    assert lab.blocks(net("plain")) == lab.blocks(net("residual")) == expected


def test_only_layers_that_keep_the_shape():
    found = lab.blocks(net("VGG"))
    assert list(found) == ["1.1", "2.1", "3.1", "3.2", "3.3", "4.1", "4.2", "4.3"]
    assert found["1.1"] == "features.1" and found["2.1"] == "features.4"  # a max-pool is in between


def test_a_deleted_layer_of_the_vgg_is_nothing():
    model = net("VGG")
    assert isinstance(lab.without(model.get_submodule("features.1")), Identity)


def test_a_deleted_block_is_its_shortcut():
    model = twin("residual", 14, 10, seed=0).eval()
    x = Tensor(np.abs(np.random.default_rng(1).standard_normal((2, 16, 8, 8))).astype(np.float32))
    block = model.get_submodule("layer1.0")
    np.testing.assert_array_equal(lab.without(block)(x).data, x.data)
    for norm in (block.bn1, block.bn2):  # F = 0 gives the same
        norm.weight.data[:] = 0
    np.testing.assert_array_equal(block(x).data, F.relu(x).data)


def test_the_verdict():
    def runs(cost):
        return [{"whole": 20.0, "deleted": {"a": 20.0 + cost}, "swapped": {"a": 20.0}, "several": [50.0]}] * 3

    def verdict(plain, residual, vgg=40):
        return lab.verdict({"nets": {"plain": runs(plain), "VGG": runs(vgg), "residual": runs(residual)}, "depth": 20})

    assert verdict(40, 3).reproduced
    assert not verdict(40, 3, vgg=20).reproduced  # the VGG hardly needs it
    assert not verdict(20, 3).reproduced  # only 17 points more than the residual net
    assert not verdict(60, 11).reproduced  # the residual net needs it too
    assert "rises by 3.0 points, the plain net's by 40.0" in verdict(40, 3).reason


def test_it_runs_and_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "DEPTHS", (14, 14))
    monkeypatch.setattr(Workbench, "load", lambda bench, *sizes, **how: shapes(8, 4))
    found = perform(lab, Workbench("lesion", LabSettings(seeds=1, epochs=1), tmp_path))["results"]
    assert list(found["nets"]) == ["plain", "VGG", "residual"]
    run = found["nets"]["residual"][0]
    assert list(run["deleted"]) == ["1.0", "1.1", "2.1", "3.1"] and list(run["swapped"]) == ["1.0 and 1.1"]
    assert len(run["several"]) == 3  # 1 to 3 of 4
    head, rows = lab.table(found)
    assert len(rows) == 3 and {len(row) for row in rows} == {len(head)}
    *single, several = picture(lab, found).axes
    assert [len(axes.patches) for axes in single] == [4, 8, 4] and len(several.lines) == 4
