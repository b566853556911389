"""tinyres/ops/log.py"""

from support import SHAPES, Case, OpTests, integers, positive


def log(lib, x):
    return x.log()


class TestLog(OpTests):
    CASES = tuple(Case(log, shape, draw=positive) for shape in SHAPES)
    ERRORS = ((lambda: integers(3).log(), TypeError, "log: expected x in floating point, got int64"),)
