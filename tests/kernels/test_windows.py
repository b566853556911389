"""kernels/tinyres_kernels/windows.py against counting."""

import itertools

import pytest

from tinyres_kernels.windows import output_size


def count(length, kernel, stride, padding, ceil_mode):
    """Slide a window over places −padding … length+padding−1 and count where it may stand."""
    start, windows = -padding, 0
    while fits(start, length, kernel, stride, padding, ceil_mode):
        start, windows = start + stride, windows + 1
    return windows


def fits(start, length, kernel, stride, padding, ceil_mode):
    end = length + padding
    inside = start + kernel <= end
    hangs_over = ceil_mode and start + kernel - stride < end and start < length
    return inside or hangs_over


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_output_size(ceil_mode):
    for length, kernel, stride, padding in itertools.product(range(1, 12), range(1, 6), range(1, 7), range(3)):
        if length + 2 * padding >= kernel and 2 * padding <= kernel:
            arguments = length, kernel, stride, padding, ceil_mode
            assert output_size(*arguments) == count(*arguments), arguments
