"""Each distinct convolution of a model is measured once, with the right operations, rung and share of the peak."""

from functools import partial
from math import prod

import numpy as np
import pytest

from tinyres import models
from tinyres.app.bench.layers import layers, rung_of, with_shares
from tinyres.look import summary
from tinyres_kernels import array, cpu, reference


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    return layers("resnet8", batch_size=2, repeats=2)


def test_every_convolution_is_counted(rows):
    shapes = [(row["x"], row["w"], row["stride"]) for row in rows]
    assert len(set(shapes)) == len(shapes)
    assert shapes[0] == ((2, 3, 32, 32), (16, 3, 3, 3), (1, 1))
    assert shapes[-1] == ((2, 64, 8, 8), (64, 64, 3, 3), (1, 1))
    whole = summary.layers(models.build("resnet8"), (3, 32, 32))
    convolutions = [layer for layer in whole if layer.kind == "Conv2d"]
    assert sum(row["count"] for row in rows) == len(convolutions)
    flop = 2 * 2 * sum(layer.multiply_adds for layer in convolutions)  # 2 images, 2 operations
    assert sum(row["flop"] * row["count"] for row in rows) == flop


def test_what_a_row_says(rows):
    for row in rows:
        moved = 4 * sum(prod(row[name]) for name in "xwy")
        assert row["flop_per_byte"] == pytest.approx(row["flop"] / moved)
        for measured in row["directions"].values():
            assert measured["gflops"] == pytest.approx(row["flop"] / measured["ms"] / 1e6)
            assert measured["rung"] == "array"


def test_the_images_gradient_is_not_measured(rows):
    assert [list(row["directions"]) for row in rows[:2]] == [["forward", "grad_w"], ["forward", "grad_x", "grad_w"]]


def test_forward_only(monkeypatch):
    monkeypatch.setenv("TINYRES_KERNELS", "array")
    for row in layers("resnet8", batch_size=1, repeats=1, forward_only=True):
        assert list(row["directions"]) == ["forward"]


def test_a_share_is_of_the_peak():
    rows = [{"count": 1, "directions": {"forward": {"gflops": 300.0}, "grad_w": {"gflops": 100.0}}}]
    (row,) = with_shares(rows, peak_gflops=400.0)
    assert row["directions"]["forward"] == {"gflops": 300.0, "share": 0.75}
    assert row["directions"]["grad_w"]["share"] == 0.25


def test_the_rung_that_did_the_work():
    """The compiled rung passes an array that is neither float32 nor float64 on to the next rung."""
    arrays = np.ones((1, 1, 4, 4), np.float16), np.ones((1, 1, 3, 3), np.float16)
    for entered, worked in ((reference, "reference"), (array, "array"), (cpu, "array")):
        assert rung_of(partial(entered.conv2d, *arrays, (1, 1), (0, 0)), "conv2d") == worked
