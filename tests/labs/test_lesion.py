"""tinyres/labs/lesion.py: surgery that leaves no trace, and a verdict that follows the errors."""

import numpy as np
import pytest

from tinyres import Tensor, labs, no_grad
from tinyres.labs.twins import twin
from tinyres.nn import functional as F

lab = labs.find("lesion")


def scores(model):
    images = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)
    with no_grad():
        return model.eval()(Tensor(images)).data


@pytest.mark.parametrize("kind", ["plain", "residual"])
def test_surgery_leaves_no_trace(kind):
    model = twin(kind, 14, 10, seed=0)
    before, path = scores(model), lab.same_shape_blocks(model)[0]
    with lab.replaced(model, {path: lab.without(model.get_submodule(path))}):
        assert not np.array_equal(scores(model), before)
    np.testing.assert_array_equal(scores(model), before)


def test_only_blocks_that_keep_the_shape():
    assert lab.same_shape_blocks(twin("plain", 14, 10, 0)) == ["layer1.0", "layer1.1", "layer2.1", "layer3.1"]


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

    def verdict(plain, residual):
        return lab.verdict({"nets": {"plain": runs(plain), "residual": runs(residual)}, "depth": 20})

    assert verdict(40, 3).reproduced
    assert not verdict(20, 3).reproduced  # 17 points more: the plain net misses it hardly more
    assert not verdict(60, 11).reproduced  # the residual net misses it too
    assert "rises by 3.0 points, the plain net's by 40.0" in verdict(40, 3).reason
