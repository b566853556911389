"""Ops on images: how to draw a call of each, and its definition over windows cut out by NumPy.

The reference kernels walk the same places in loops; a definition of another build catches what both would get wrong.
"""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from properties.calls import DrawnOp, apart, as_pair, pairs

SIZES = st.integers(1, 6)
KERNELS = st.sampled_from([(3, 3), (1, 1), (2, 2), (1, 3), (3, 2), 3, (4, 1), 2])
STRIDES = pairs(st.sampled_from([1, 1, 2, 3]))


def windows(x, kernel, stride, padding, outside, size=None):
    """x (N,C,H,W) -> (N,C,P,Q,KH,KW), with `outside` around it; size: (P, Q), unless it is all that fit."""
    (KH, KW), (down, right), (top, left) = kernel, stride, padding
    over = [0, 0] if size is None else [max(0, (n - 1) * s + k) for n, s, k in zip(size, stride, kernel, strict=True)]
    covered = np.pad(x, [(0, 0), (0, 0), (top, top + over[0]), (left, left + over[1])], constant_values=outside)
    cut = np.lib.stride_tricks.sliding_window_view(covered, (KH, KW), (2, 3))[:, :, ::down, ::right]
    return cut if size is None else cut[:, :, : size[0], : size[1]]


# ---- convolution -----------------------------------------------------------------------------------------------------


def convolutions(draw, length):
    """Stride and padding may exceed the kernel; and the weights may have x's shape."""
    N, C, O = draw(length), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel, stride, padding = as_pair(draw(KERNELS)), draw(STRIDES), draw(pairs(st.integers(0, 3)))
    H, W = (max(draw(SIZES), k - 2 * pad) for k, pad in zip(kernel, as_pair(padding), strict=True))
    with_bias = draw(st.booleans())
    if N > 0 and draw(st.integers(0, 4)) == 0:
        O, kernel = N, (H, W)
    return [(N, C, H, W), (O, C, *kernel)] + [(O,)] * with_bias, {"stride": stride, "padding": padding}


def conv2d(lib, x, w, b=None, **settings):
    return lib.nn.functional.conv2d(x, w, b, **settings)


def conv2d_defined(x, w, b=None, *, stride, padding):
    seen = windows(x, w.shape[2:], as_pair(stride), as_pair(padding), 0)
    y = np.einsum("ncpqij,ocij->nopq", seen, w)
    return y if b is None else y + b.reshape(-1, 1, 1)


# ---- pooling ---------------------------------------------------------------------------------------------------------


def poolings(draw, length):
    kernel = as_pair(draw(KERNELS))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    H, W = (max(draw(SIZES), k - 2 * pad) for k, pad in zip(kernel, padding, strict=True))
    settings = {"kernel_size": kernel, "stride": draw(st.none() | STRIDES), "padding": padding}
    return [(draw(length), draw(st.integers(1, 3)), H, W)], {**settings, "ceil_mode": draw(st.booleans())}


def pooled_size(x, kernel, stride, padding, ceil_mode):
    """(P, Q), by counting: windows that end inside the padding; with ceil_mode, that begin before it ends."""
    return tuple(
        sum(
            at + k <= n + 2 * pad or (ceil_mode and at < n + pad and at - s + k < n + 2 * pad)
            for at in range(0, n + 2 * pad, s)
        )
        for n, k, s, pad in zip(x.shape[2:], kernel, stride, padding, strict=True)
    )


def max_pool2d_defined(x, kernel_size, stride, padding, ceil_mode):
    stride = kernel_size if stride is None else as_pair(stride)
    size = pooled_size(x, kernel_size, stride, padding, ceil_mode)
    return windows(x, kernel_size, stride, padding, -np.inf, size).max((4, 5))


def average_poolings(draw, length):
    shapes, settings = poolings(draw, length)
    return shapes, {**settings, "count_include_pad": draw(st.booleans())}


def avg_pool2d_defined(x, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """The sum over a window, divided by the sum over the same window of an image that is 1 wherever it counts."""
    stride = kernel_size if stride is None else as_pair(stride)
    size = pooled_size(x, kernel_size, stride, padding, ceil_mode)
    ones, (top, left) = np.ones((1, 1, *x.shape[2:])), padding
    around = [(0, 0), (0, 0), (top, top), (left, left)]
    counted = np.pad(ones, around, constant_values=count_include_pad)
    counts = windows(counted, kernel_size, stride, (0, 0), 0, size).sum((4, 5))
    return windows(x, kernel_size, stride, padding, 0, size).sum((4, 5)) / counts


def adaptive_poolings(draw, length):
    """Not with windows side by side: then it is avg_pool2d that runs."""
    (H, W), output = (draw(SIZES), draw(SIZES)), (draw(st.none() | SIZES), draw(st.none() | SIZES))
    assume(any(n % (size or n) for n, size in zip((H, W), output, strict=True)))
    return [(draw(length), draw(st.integers(1, 3)), H, W)], {"output_size": output}


def adaptive_avg_pool2d_defined(x, output_size):
    """Window p takes in every row that [p·H/P, (p+1)·H/P) touches."""
    P, Q = (n if size is None else size for n, size in zip(x.shape[2:], output_size, strict=True))
    y = np.empty((*x.shape[:2], P, Q))
    for p, q in np.ndindex(P, Q):
        rows, columns = (
            [at for at in range(n) if at < (place + 1) * n / size and at + 1 > place * n / size]
            for n, size, place in zip(x.shape[2:], (P, Q), (p, q), strict=True)
        )
        y[:, :, p, q] = x[:, :, rows][:, :, :, columns].mean((2, 3))
    return y


# ---- upsampling ------------------------------------------------------------------------------------------------------


def upsamplings(draw, length):
    how, much = draw(st.sampled_from([("size", SIZES), ("scale_factor", st.integers(1, 3))]))
    return [(draw(length), draw(st.integers(1, 3)), draw(SIZES), draw(SIZES))], {how: draw(pairs(much))}


def interpolate_defined(x, size=None, scale_factor=None):
    H, W = x.shape[2:]
    P, Q = as_pair(size) if size is not None else np.multiply((H, W), as_pair(scale_factor))
    y = np.empty((*x.shape[:2], P, Q))
    for p, q in np.ndindex(P, Q):
        y[:, :, p, q] = x[:, :, int(p * H / P + 1e-9), int(q * W / Q + 1e-9)]
    return y


def functional(name):
    return lambda lib, x, **settings: getattr(lib.nn.functional, name)(x, **settings)


OPS = {
    "conv2d": DrawnOp(convolutions, conv2d, conv2d_defined, takes_two=True, per_image=True),
    "max_pool2d": DrawnOp(poolings, functional("max_pool2d"), max_pool2d_defined, fill=apart, per_image=True),
    "avg_pool2d": DrawnOp(average_poolings, functional("avg_pool2d"), avg_pool2d_defined, per_image=True),
    "adaptive_avg_pool2d": DrawnOp(
        adaptive_poolings, functional("adaptive_avg_pool2d"), adaptive_avg_pool2d_defined, per_image=True
    ),
    "interpolate": DrawnOp(upsamplings, functional("interpolate"), interpolate_defined, per_image=True),
}
