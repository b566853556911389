"""tinyres/ops/multiply.py"""

from support import Case, OpTests, floats


def multiply(lib, a, b):
    return a * b


def multiply_by_a_number(lib, x):
    return 2 * x * 0.5 * -3


def square(lib, x):
    return x * x


class TestMultiply(OpTests):
    CASES = (
        Case(multiply, (2, 3), (2, 3)),
        Case(multiply, (), (2, 3)),
        Case(multiply, (2, 3), (3,)),
        Case(multiply, (4, 1), (1, 2)),
        Case(multiply, (3, 1, 1), (2, 3, 1, 2)),
        Case(multiply_by_a_number, (2, 3)),
        Case(square, (2, 1, 3)),
    )
    MORE = tuple(Case(multiply, a, b) for a in ((6, 1, 5), (1, 7, 5), (5,)) for b in ((6, 7, 5), (7, 1), (1, 1, 1)))
    ERRORS = (
        (lambda: floats(2, 3) * floats(2), ValueError, "multiply: shapes (2, 3) and (2,) do not broadcast together"),
    )
