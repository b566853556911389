"""tinyres/ops/divide.py"""

from support import Case, OpTests, floats, positive


def divide(lib, a, b):
    return a / b


def divide_a_number(lib, x):
    return 2.5 / x / 4


class TestDivide(OpTests):
    CASES = (
        Case(divide, (2, 3), (2, 3), draw=positive),
        Case(divide, (), (2, 3), draw=positive),
        Case(divide, (2, 3), (3,), draw=positive),
        Case(divide, (4, 1), (1, 2), draw=positive),
        Case(divide, (3, 1, 1), (2, 3, 1, 2), draw=positive),
        Case(divide_a_number, (2, 3), draw=positive),
    )
    MORE = tuple(
        Case(divide, a, b, draw=positive) for a in ((6, 1, 5), (1, 7, 5), (5,)) for b in ((6, 7, 5), (7, 1), (1, 1, 1))
    )
    ERRORS = (
        (lambda: floats(2, 3) / floats(2), ValueError, "divide: shapes (2, 3) and (2,) do not broadcast together"),
    )
