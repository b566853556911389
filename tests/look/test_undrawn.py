"""tinyres/look/undrawn.py"""

import numpy as np
import pytest

import tinyres
from tinyres import Tensor, nn
from tinyres.look.undrawn import undrawn
from tinyres.nn import init


def seeded_weight(seed):
    tinyres.manual_seed(seed)
    return nn.Linear(4, 4).weight.data


class TestUndrawn:
    def test_what_would_be_drawn_is_zero(self):
        with undrawn():
            model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(4, 4))
            filled_anew = init.kaiming_normal_(model[2].weight)
        assert not any(values.data.any() for values in (*model[0].parameters(), *model[2].parameters()))
        assert filled_anew is model[2].weight and filled_anew.shape == (4, 4) and filled_anew.dtype == np.float32
        assert (model[1].weight.data == 1).all()

    def test_constants_are_written_all_the_same(self):
        with undrawn():
            assert init.constant_(Tensor(np.zeros(3)), 0.25).data.min() == 0.25

    def test_afterwards_all_is_drawn_as_if_nothing_had_been(self):
        first = seeded_weight(5)
        with undrawn():
            assert not seeded_weight(5).any()
            nn.Linear(4, 4)
        assert np.array_equal(nn.Linear(4, 4).weight.data, first)

    def test_an_error_inside_ends_it(self):
        with pytest.raises(ValueError, match="inside"), undrawn(), undrawn():
            raise ValueError("inside")
        assert nn.Linear(4, 4).weight.data.any()
