"""Average pooling to a wanted output size, whatever the input's."""

from typing import Any

import numpy as np

from tinyres.autograd import Array, Op, Tensor
from tinyres.ops.avg_pool2d import avg_pool2d
from tinyres.ops.checks import expect_floats, expect_images


class AdaptiveAvgPool2d(Op):
    r"""y[n,c,p,q] = mean of x over rows ⌊p·H/P⌋ … ⌈(p+1)·H/P⌉−1, and columns likewise

    The windows may overlap and differ in size, but rows and columns separate: with A (P,H) holding 1/length in
    window p's places and 0 elsewhere, and B (Q,W) the same for the columns,

        y = A x Bᵀ        gx = Aᵀ gy B
    """

    def __init__(self, size: tuple[int, int]):
        self.size = size

    def forward(self, x: Array) -> Array:
        A, B = (averaging(x.shape[2 + k], self.size[k], x) for k in (0, 1))
        self.saved = A, B
        return A @ x @ B.T

    def backward(self, gy: Array) -> Array:
        A, B = self.saved
        return A.T @ gy @ B


def averaging(length: int, size: int, like: Array) -> Array:
    """(size, length): row p averages the places of window p."""
    windows = np.zeros_like(like, shape=(size, length))
    for p in range(size):
        start, stop = p * length // size, -(-(p + 1) * length // size)
        windows[p, start:stop] = 1 / (stop - start)
    return windows


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """input (N,C,H,W) -> (N,C,P,Q). output_size: P = Q, or (P, Q); None keeps that axis. 1 averages each channel."""
    expect_floats("adaptive_avg_pool2d", input=input)
    expect_images("adaptive_avg_pool2d", input)
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(wanted) != 2:
        raise ValueError(f"adaptive_avg_pool2d: expected output_size to be an int or a pair, got {output_size}")
    P, Q = (input.shape[2 + k] if wanted[k] is None else wanted[k] for k in (0, 1))
    if P < 1 or Q < 1 or min(input.shape[2:]) < 1:
        raise ValueError(
            f"adaptive_avg_pool2d: expected sizes of 1 or more, got input {input.shape}, output {output_size}"
        )
    H, W = input.shape[2:]
    if H % P == 0 and W % Q == 0:  # then the windows lie side by side
        return avg_pool2d(input, (H // P, W // Q))
    return AdaptiveAvgPool2d((P, Q))(input)
