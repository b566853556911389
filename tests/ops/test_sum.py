"""tinyres/ops/sum.py"""

from support import Case, OpTests, floats, integers


def sum_(lib, x, **settings):
    return x.sum(**settings)


DIMS = (0, 1, 2, -1, (0, 1), (0, 2), (2, 0), (-1, 0), (0, 1, 2))


class TestSum(OpTests):
    CASES = (
        Case(sum_, ()),
        Case(sum_, (2, 3)),
        Case(sum_, (1, 3), dim=0),
        Case(sum_, (2, 3, 2), dim=1),
        Case(sum_, (2, 3, 2), dim=(0, -1)),
        Case(sum_, (2, 3, 2), dim=(0, 2), keepdim=True),
        Case(sum_, (2, 3), dim=-1, keepdim=True),
    )
    MORE = tuple(Case(sum_, (4, 1, 5), dim=dim, keepdim=keepdim) for dim in DIMS for keepdim in (False, True))
    ERRORS = (
        (lambda: floats(2, 3).sum(2), ValueError, "sum: expected dim from -2 to 1 for 2 axes, got 2"),
        (lambda: floats(2, 3).sum((0, -3)), ValueError, "sum: expected dim from -2 to 1 for 2 axes, got -3"),
        (lambda: integers(3).sum(), TypeError, "sum: expected x in floating point, got int64"),
    )
