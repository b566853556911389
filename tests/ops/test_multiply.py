"""tinyres/ops/multiply.py"""

from support import BROADCASTS, MORE_BROADCASTS, Case, OpTests, floats


def multiply(lib, a, b):
    return a * b


def multiply_by_a_number(lib, x):
    return 2 * x * 0.5 * -3


def square(lib, x):
    return x * x


class TestMultiply(OpTests):
    CASES = (
        *(Case(multiply, *pair) for pair in BROADCASTS),
        Case(multiply_by_a_number, (2, 3)),
        Case(square, (2, 1, 3)),
    )
    MORE = tuple(Case(multiply, *pair) for pair in MORE_BROADCASTS)
    ERRORS = (
        (lambda: floats(2, 3) * floats(2), ValueError, "multiply: shapes (2, 3) and (2,) do not broadcast together"),
    )
