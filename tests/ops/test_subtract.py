"""tinyres/ops/subtract.py"""

from support import Case, OpTests, floats


def subtract(lib, a, b):
    return a - b


def subtract_from_a_number(lib, x):
    return 2.5 - x - 1


def negate(lib, x):
    return -x


class TestSubtract(OpTests):
    CASES = (
        Case(subtract, (2, 3), (2, 3)),
        Case(subtract, (), (2, 3)),
        Case(subtract, (2, 3), (3,)),
        Case(subtract, (4, 1), (1, 2)),
        Case(subtract, (3, 1, 1), (2, 3, 1, 2)),
        Case(subtract_from_a_number, (2, 3)),
        Case(negate, ()),
        Case(negate, (2, 1, 3)),
    )
    MORE = tuple(Case(subtract, a, b) for a in ((6, 1, 5), (1, 7, 5), (5,)) for b in ((6, 7, 5), (7, 1), (1, 1, 1)))
    ERRORS = (
        (lambda: floats(2, 3) - floats(2), ValueError, "subtract: shapes (2, 3) and (2,) do not broadcast together"),
    )
