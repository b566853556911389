"""tinyres/ops/mean.py"""

from support import Case, OpTests, floats, integers


def mean(lib, x, **settings):
    return x.mean(**settings)


class TestMean(OpTests):
    CASES = (
        Case(mean, ()),
        Case(mean, (2, 3)),
        Case(mean, (1, 3), dim=0),
        Case(mean, (2, 3, 2), dim=1),
        Case(mean, (2, 3, 2), dim=(0, -1)),
        Case(mean, (2, 3, 2), dim=(0, 2), keepdim=True),
        Case(mean, (2, 3), dim=-1, keepdim=True),
    )
    MORE = tuple(
        Case(mean, (4, 1, 5), dim=dim, keepdim=keepdim)
        for dim in (0, 1, 2, -1, (0, 1), (0, 2), (2, 0), (-1, 0), (0, 1, 2))
        for keepdim in (False, True)
    )
    ERRORS = (
        (lambda: floats(2, 3).mean(2), ValueError, "mean: expected dim from -2 to 1 for 2 axes, got 2"),
        (lambda: floats(2, 0).mean(1), ValueError, "mean: nothing to average over axes (1,) of shape (2, 0)"),
        (lambda: integers(3).mean(), TypeError, "mean: expected x in floating point, got int64"),
    )
