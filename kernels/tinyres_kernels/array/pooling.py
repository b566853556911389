"""What max and average pooling share: the input with a border, and views of it with one place of every window."""

import numpy as np

from tinyres_kernels.contract import Array, Pair


def cover(x: Array, size: tuple[int, ...], kernel: Pair, stride: Pair, padding: Pair, outside: float) -> Array:
    """x (N,C,H,W) with `outside` around it, as far as the (P, Q) windows reach; it keeps x's order of bytes."""
    H, W = x.shape[2:]
    reach = [max((size[k] - 1) * stride[k] + kernel[k], x.shape[2 + k] + padding[k]) for k in (0, 1)]
    covered = np.full_like(x, outside, shape=(*x.shape[:2], *reach))
    covered[:, :, padding[0] : padding[0] + H, padding[1] : padding[1] + W] = x
    return covered


def place(i: int, j: int, size: tuple[int, ...], stride: Pair) -> tuple[slice, ...]:
    """The index of place (i, j) of all windows in a covered input: P rows and Q columns, a stride apart."""
    rows = slice(i, i + (size[0] - 1) * stride[0] + 1, stride[0])
    columns = slice(j, j + (size[1] - 1) * stride[1] + 1, stride[1])
    return slice(None), slice(None), rows, columns
