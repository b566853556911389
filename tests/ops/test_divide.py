"""tinyres/ops/divide.py"""

from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats, positive


def divide(lib, a, b):
    return a / b


def divide_a_number(lib, x):
    return 2.5 / x / 4


class TestDivide(OpTests):
    CASES = (
        *(Case(divide, *pair, draw=positive) for pair in BROADCASTS),
        Case(divide_a_number, (2, 3), draw=positive),
    )
    MORE = tuple(Case(divide, *pair, draw=positive) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) / floats(2), ValueError, "divide: shapes (2, 3) and (2,) do not broadcast together"),
    )
