"""tinyres/ops/sqrt.py"""

from support import SHAPES, Case, OpTests, integers, positive


def sqrt(lib, x):
    return x.sqrt()


class TestSqrt(OpTests):
    CASES = tuple(Case(sqrt, shape, draw=positive) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).sqrt(), TypeError, "sqrt: expected x in floating point, got int64"),)
