"""tinyres/ops/exp.py"""

from support import SHAPES, Case, OpTests, integers


def exp(lib, x):
    return x.exp()


class TestExp(OpTests):
    CASES = tuple(Case(exp, shape) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).exp(), TypeError, "exp: expected x in floating point, got int64"),)
