"""tinyres/ops/sum.py"""

from support import REDUCTIONS, Case, OpTests, floats, integers


def sum_(lib, x, **settings):
    return x.sum(**settings)


class TestSum(OpTests):
    CASES = (Case(sum_, ()), *(Case(sum_, (2, 3, 2), **settings) for settings in REDUCTIONS))
    MORE = tuple(Case(sum_, shape, **settings) for shape in ((1, 1, 1), (4, 1, 5)) for settings in REDUCTIONS)
    ERRORS = (
        (lambda: floats(2, 3).sum(2), ValueError, "sum: expected dim from -2 to 1 for 2 axes, got 2"),
        (lambda: floats(2, 3).sum((0, -3)), ValueError, "sum: expected dim from -2 to 1 for 2 axes, got -3"),
        (lambda: integers(3).sum(), TypeError, "sum: expected x in floating point, got int64"),
    )
