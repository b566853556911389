"""tinyres/ops/checks.py: what is let through. (The messages are tested with the ops that say them.)"""

import numpy as np
import pytest
from support import floats

from tinyres.ops.checks import expect_dim, expect_floats, expect_pooling, pair


@pytest.mark.parametrize("value", [2, (2, 2), [2, 2], np.int64(2)], ids=repr)
def test_an_int_or_a_pair(value):
    assert pair("op", "stride", value, 1) == (2, 2)


@pytest.mark.parametrize("value", [1.5, "same", None, (1,), (1, 2, 3), (1.0, 2.0), 0, (1, 0)], ids=repr)
def test_neither_int_nor_pair(value):
    with pytest.raises(ValueError, match="op: expected stride to be an int or a pair of ints, at least 1, got "):
        pair("op", "stride", value, 1)


def test_dim_is_counted_from_the_front():
    assert [expect_dim("op", dim, 3) for dim in (-3, -2, -1, 0, 1, 2)] == [0, 1, 2, 0, 1, 2]


def test_missing_tensors_are_passed_over():
    expect_floats("op", x=floats(2), bias=None)


def test_the_stride_of_pooling_is_the_kernels_size_unless_given():
    x = floats(1, 1, 8, 8)
    assert expect_pooling("op", x, (2, 3), None, 1) == ((2, 3), (2, 3), (1, 1))
    assert expect_pooling("op", x, 2, 1, 0) == ((2, 2), (1, 1), (0, 0))
