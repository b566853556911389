"""tinyres/ops/subtract.py"""

from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats


def subtract(lib, a, b):
    return a - b


def subtract_from_a_number(lib, x):
    return 2.5 - x - 1


def negate(lib, x):
    return -x


class TestSubtract(OpTests):
    CASES = (
        *(Case(subtract, *pair) for pair in BROADCASTS),
        Case(subtract_from_a_number, (2, 3)),
        Case(negate, ()),
        Case(negate, (2, 1, 3)),
    )
    MORE = tuple(Case(subtract, *pair) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) - floats(2), ValueError, "subtract: shapes (2, 3) and (2,) do not broadcast together"),
    )
