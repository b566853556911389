"""tinyres/ops/dropout.py"""

import numpy as np
import pytest
from support import Case, OpTests, floats, integers

import tinyres
from tinyres import Tensor
from tinyres.nn import functional as F


def dropout(lib, x, p):
    return lib.nn.functional.dropout(x, p)


def seeded_dropout(x, p):
    tinyres.manual_seed(3)
    return F.dropout(x, p)


def test_by_hand():
    x = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = seeded_dropout(x, 0.5)
    kept = y.data != 0
    y.backward(np.float32([5, 6, 7, 8]))
    assert y.data[kept].tolist() == (2 * x.data[kept]).tolist()  # 1/(1 − 0.5) = 2 times as large
    assert x.grad.tolist() == np.where(kept, [10, 12, 14, 16], 0).tolist()


class TestDropout(OpTests):
    CASES = (Case(dropout, (2, 3), p=1.0),)  # all that torch's random numbers and ours agree on
    ERRORS = (
        (lambda: F.dropout(floats(3), 1.5), ValueError, "dropout: expected a probability p from 0 to 1, got 1.5"),
        (lambda: F.dropout(floats(3), -0.1), ValueError, "dropout: expected a probability p from 0 to 1, got -0.1"),
        (lambda: F.dropout(integers(3)), TypeError, "dropout: expected input in floating point, got int64"),
    )

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    def test_the_kept_are_scaled_and_their_share_is_right(self, p):
        x = Tensor(np.full(100_000, 3.0))
        y = F.dropout(x, p).data
        kept = y != 0
        np.testing.assert_allclose(y[kept], 3 / (1 - p))
        assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / 100_000)  # five standard deviations

    @pytest.mark.parametrize("shape", [(), (7,), (2, 3, 1, 5)])
    def test_gradients(self, shape):
        x = Tensor(np.random.default_rng(1).standard_normal(shape), requires_grad=True)
        tinyres.gradcheck(lambda x: seeded_dropout(x, 0.4), [x])

    def test_switched_off_it_is_the_very_tensor(self):
        x = floats(3)
        assert F.dropout(x, 0.5, training=False) is F.dropout(x, 0.0) is x

    def test_the_seed_decides_and_every_call_draws_anew(self):
        x = floats(1000)
        first, second = seeded_dropout(x, 0.5).data, F.dropout(x, 0.5).data
        assert np.array_equal(first, seeded_dropout(x, 0.5).data)
        assert not np.array_equal(first, second)

    def test_float32_and_float64_drop_the_same_places(self):
        single, double = (seeded_dropout(floats(1000, dtype=dtype), 0.5).data for dtype in ("float32", "float64"))
        assert single.dtype == np.float32 and double.dtype == np.float64
        assert np.array_equal(single, double)
