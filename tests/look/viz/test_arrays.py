"""The description of an array for the stepper's page."""

import base64

import numpy as np
import pytest

from tinyres.look.viz.arrays import BINS, FEW, SIDE, describe


def pixels(described):
    p = described["picture"]
    return np.frombuffer(base64.b64decode(p["levels"]), np.uint8).reshape(p["height"], p["width"])


def test_few_numbers_are_shown_one_by_one():
    assert describe(np.array([[1 / 3, -2.0], [np.nan, np.inf]], np.float32)) == {
        "shape": [2, 2],
        "dtype": "float32",
        "size": f"{np.sqrt(1 / 9 + 4):.6g}",
        "values": ["0.333333", "-2", "nan", "inf"],
    }
    assert describe(np.array([3, 7]))["values"] == ["3", "7"]
    assert "values" in describe(np.zeros(FEW)) and "values" not in describe(np.zeros(FEW + 1))


def test_the_figures_of_many():
    a = np.arange(-10.0, 90.0)
    described = describe(a)
    assert [described[name] for name in ("least", "greatest", "mean")] == ["-10", "89", "39.5"]
    assert described["size"] == f"{np.sqrt((a * a).sum()):.6g}"
    assert described["bins"] == np.histogram(a, BINS)[0].tolist()


@pytest.mark.parametrize("a", [np.full(100, 7.0), 1 + np.arange(100) % 2 * 2.3e-16, np.arange(100) * 1e306])
def test_every_value_is_in_the_histogram(a):
    assert sum(describe(a)["bins"]) == 100


def test_what_is_not_finite_is_counted_and_black():
    a = np.ones((10, 10))
    a[0, 0], a[9, 9] = np.nan, -np.inf
    described = describe(a)
    assert (described["not finite"], sum(described["bins"]), described["greatest"]) == (2, 98, "1")
    assert (pixels(described) == 0).sum() == 2
    assert describe(np.full(100, np.nan)) == {"shape": [100], "dtype": "float64", "not finite": 100}


def test_a_matrix_is_a_picture_of_itself():
    a = np.zeros((8, 8))
    a[1, 2], a[3, 4] = 5.0, -2.5
    drawn = pixels(describe(a))
    assert (drawn[1, 2], drawn[3, 4], drawn[0, 0]) == (255, 64, 128)
    assert describe(a)["picture"]["scale"] == "5"


def test_channels_are_tiles():
    a = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    described = describe(a)
    assert [described["picture"][name] for name in ("images", "channels", "lines")] == [2, 3, 1]
    level = pixels(described)[4 + 1 + 2, 2 * (5 + 1) + 3]  # image 1, channel 2, row 2, column 3; a line between tiles
    assert level == 128 + round(127 * a[1, 2, 2, 3] / a.max())


def test_channels_go_on_in_another_line():
    a = np.zeros((2, 64, 16, 16))
    a[1, 7, 0, 0] = 1.0  # image 1's eighth channel: with 5 to a line, in its second one; and with 2 lines to an image
    p = describe(a)["picture"]
    assert [p[name] for name in ("images", "channels", "lines")] == [2, 10, 2]
    (place,) = np.argwhere(pixels(describe(a)) == 255)
    assert place.tolist() == [3 * 17, 2 * 17]


@pytest.mark.parametrize("shape", [(128, 64, 32, 32), (1, 3, 500, 300), (1000, 2), (5000,), (2, 3, 4, 5, 6), (7, 9, 9)])
def test_no_picture_is_large(shape):
    p = describe(np.ones(shape, np.float32))["picture"]
    assert 0 < p["width"] <= SIDE and 0 < p["height"] <= SIDE
