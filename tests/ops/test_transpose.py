"""tinyres/ops/transpose.py"""

import itertools

from support import Case, OpTests, floats


def transpose(lib, x, dims):
    return x.transpose(*dims)


def permute(lib, x, dims):
    return x.permute(*dims)


class TestTranspose(OpTests):
    CASES = (
        Case(transpose, (2, 3), dims=(0, 1)),
        Case(transpose, (2, 1, 3), dims=(-1, 0)),
        Case(transpose, (2, 3), dims=(1, 1)),
        Case(permute, (2, 3, 4), dims=(1, 2, 0)),  # not its own inverse
        Case(permute, (2, 3, 1, 2), dims=(0, -2, -1, 1)),
    )
    MORE = tuple(Case(permute, (2, 3, 4, 5), dims=dims) for dims in itertools.permutations(range(4)))
    ERRORS = (
        (lambda: floats(2, 3).transpose(0, 2), ValueError, "transpose: expected dim from -2 to 1 for 2 axes, got 2"),
        (
            lambda: floats(2, 3).permute(0, 0),
            ValueError,
            "permute: expected each of the 2 axes of (2, 3) once, got (0, 0)",
        ),
        (lambda: floats(2, 3).permute(0), ValueError, "permute: expected each of the 2 axes of (2, 3) once, got (0,)"),
    )

    def test_dims_one_by_one_or_together(self):
        x = floats(2, 3, 4)
        assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == x.permute([2, 0, 1]).shape == (4, 2, 3)
