"""Ops that add up: how to draw a call of each, and its definition, one sum at a time."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from properties.calls import LENGTHS, DrawnOp, any_shape, broadcasting, some_axes

# ---- over axes -------------------------------------------------------------------------------------------------------


def sums(draw, length):
    shape = any_shape(draw, length)
    return [shape], {"dim": some_axes(draw, len(shape)), "keepdim": draw(st.booleans())}


def means(draw, length):
    """Not over an axis without elements: there is no mean of nothing."""
    (shape,), settings = sums(draw, length)
    averaged = axes_of(settings["dim"], len(shape))
    return [tuple(draw(LENGTHS) if axis in averaged else n for axis, n in enumerate(shape))], settings


def axes_of(dim, ndim):
    """dim as a set of axes counted from the front"""
    several = range(ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return {axis % ndim for axis in several}


def count(shape, dim):
    return math.prod(shape[axis] for axis in axes_of(dim, len(shape)))


def sum_defined(x, dim, keepdim):
    axes = axes_of(dim, x.ndim)
    kept = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    y = np.zeros(kept)
    for place in np.ndindex(x.shape):
        y[tuple(0 if axis in axes else at for axis, at in enumerate(place))] += x[place]
    return y if keepdim else y.reshape([n for axis, n in enumerate(x.shape) if axis not in axes])


def mean_defined(x, dim, keepdim):
    return sum_defined(x, dim, keepdim) / count(x.shape, dim)


# ---- along one axis --------------------------------------------------------------------------------------------------


def along_one(draw, length):
    """That axis is never empty: there is no largest of nothing."""
    shape = list(any_shape(draw, length, least=1))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] = draw(st.integers(1, 5))
    return [tuple(shape)], {"dim": dim}


def softmax_defined(x, dim):
    return np.exp(log_softmax_defined(x, dim))


def log_softmax_defined(x, dim):
    y = np.empty_like(x)
    for place in np.ndindex(tuple(np.delete(x.shape, dim))):
        row = list(place)
        row.insert(dim % x.ndim, slice(None))
        y[tuple(row)] = x[tuple(row)] - math.log(math.fsum(math.exp(v) for v in x[tuple(row)]))
    return y


def classifications(draw, length):
    N, K = draw(LENGTHS), draw(st.integers(1, 5))
    labels = draw(st.lists(st.integers(0, K - 1), min_size=N, max_size=N))
    smoothing, reduction = draw(st.sampled_from([0.0, 0.1, 1.0])), draw(st.sampled_from(["mean", "sum", "none"]))
    return [(N, K)], {"labels": labels, "label_smoothing": smoothing, "reduction": reduction}


def cross_entropy(lib, x, labels, **settings):
    return lib.nn.functional.cross_entropy(x, lib.tensor(labels), **settings)


def cross_entropy_defined(x, labels, label_smoothing, reduction):
    log_p = log_softmax_defined(x, 1)
    N, K = x.shape
    losses = np.zeros(N)
    for n, k in np.ndindex(N, K):
        target = (1 - label_smoothing) * (labels[n] == k) + label_smoothing / K
        losses[n] -= target * log_p[n, k]
    return {"none": losses, "sum": np.sum(losses), "mean": np.sum(losses) / N}[reduction]


# ---- products --------------------------------------------------------------------------------------------------------


def matrix_products(draw, length):
    a_leading, b_leading = broadcasting(draw, length)
    square = draw(st.booleans())
    I, K, J = [draw(length)] * 3 if square else (draw(length) for _ in range(3))
    return [(*a_leading[-2:], I, K), (*b_leading[-2:], K, J)], {}


def linears(draw, length):
    x, O, with_bias = any_shape(draw, length, least=1), draw(length), draw(st.booleans())
    if len(x) == 2 and draw(st.booleans()):
        O = x[0]  # so that w has x's shape
    return [x, (O, x[-1])] + [(O,)] * with_bias, {}


def linear_defined(x, w, b=0):
    return np.einsum("...i,oi->...o", x, w) + b


OPS = {
    "sum": DrawnOp(sums, lambda lib, x, **settings: x.sum(**settings), sum_defined),
    "mean": DrawnOp(means, lambda lib, x, **settings: x.mean(**settings), mean_defined),
    "softmax": DrawnOp(along_one, lambda lib, x, dim: lib.nn.functional.softmax(x, dim), softmax_defined),
    "log_softmax": DrawnOp(along_one, lambda lib, x, dim: lib.nn.functional.log_softmax(x, dim), log_softmax_defined),
    "cross_entropy": DrawnOp(classifications, cross_entropy, cross_entropy_defined, takes_empty=False),
    "matmul": DrawnOp(
        matrix_products, lambda lib, a, b: a @ b, lambda a, b: np.einsum("...ik,...kj->...ij", a, b), takes_two=True
    ),
    "linear": DrawnOp(
        linears, lambda lib, *tensors: lib.nn.functional.linear(*tensors), linear_defined, takes_two=True
    ),
}
