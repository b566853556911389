"""tinyres/creation.py"""

import numpy as np

import tinyres


def test_tensor_copies():
    array = np.zeros(3)
    copy = tinyres.tensor(array, requires_grad=True)
    array[0] = 1
    assert copy.data.tolist() == [0, 0, 0]
    assert copy.requires_grad
    assert tinyres.tensor([1, 2]).dtype == np.int64


def test_zeros_and_ones():
    assert tinyres.zeros(2, 3).data.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert tinyres.ones(2, requires_grad=True).data.tolist() == [1, 1]
    assert tinyres.zeros(1).dtype == tinyres.ones(1).dtype == np.float32


def test_randn_is_normal_new_at_each_call_and_repeated_by_the_seed():
    tinyres.manual_seed(3)
    first, second = tinyres.randn(1000), tinyres.randn(1000)
    assert abs(first.data.mean()) < 0.1 and abs(first.data.std() - 1) < 0.1
    assert not np.array_equal(first.data, second.data)
    tinyres.manual_seed(3)
    assert np.array_equal(tinyres.randn(1000).data, first.data)
