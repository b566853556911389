"""Ops that move values and compute nothing: how to draw a call of each, and its definition, value by value."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from properties.calls import DrawnOp, any_shape


def reshapes(draw, length):
    """Some neighbouring axes made one; or, backwards, one split; perhaps a 1 put in, perhaps a length left open."""
    fine = list(any_shape(draw, length))
    coarse = list(fine)
    while len(coarse) > 1 and draw(st.booleans()):
        k = draw(st.integers(0, len(coarse) - 2))
        coarse[k : k + 2] = [coarse[k] * coarse[k + 1]]
    if draw(st.booleans()):
        coarse.insert(draw(st.integers(0, len(coarse))), 1)
    x, y = (fine, coarse) if draw(st.booleans()) else (coarse, fine)
    if y and math.prod(x) > 0 and draw(st.booleans()):
        y = list(y)
        y[draw(st.integers(0, len(y) - 1))] = -1
    return [tuple(x)], {"shape": tuple(y)}


def reshape_defined(x, shape):
    values = [x[place] for place in np.ndindex(x.shape)]
    known = math.prod(n for n in shape if n != -1)
    y = np.empty([len(values) // known if n == -1 else n for n in shape])
    for place, value in zip(np.ndindex(y.shape), values, strict=True):
        y[place] = value
    return y


def flattenings(draw, length):
    shape = any_shape(draw, length)
    start = draw(st.integers(0, max(0, len(shape) - 1)))
    end = draw(st.integers(start, max(0, len(shape) - 1)))
    return [shape], {"start_dim": start, "end_dim": end - len(shape) if shape and draw(st.booleans()) else end}


def flatten_defined(x, start_dim, end_dim):
    if x.ndim == 0:
        return reshape_defined(x, (1,))
    end = end_dim % x.ndim + 1
    return reshape_defined(x, (*x.shape[:start_dim], math.prod(x.shape[start_dim:end]), *x.shape[end:]))


def permutations(draw, length):
    shape = any_shape(draw, length, least=1)
    dims = draw(st.permutations(range(len(shape))))
    return [shape], {"dims": tuple(d - len(shape) if draw(st.booleans()) else d for d in dims)}


def permute_defined(x, dims):
    y = np.empty([x.shape[d] for d in dims])
    for place in np.ndindex(y.shape):
        source = [0] * x.ndim
        for axis, d in enumerate(dims):
            source[d] = place[axis]
        y[place] = x[tuple(source)]
    return y


def transpositions(draw, length):
    shape = any_shape(draw, length, least=1)
    axes = st.integers(-len(shape), len(shape) - 1)
    return [shape], {"dim0": draw(axes), "dim1": draw(axes)}


def transpose_defined(x, dim0, dim1):
    dims = list(range(x.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return permute_defined(x, dims)


def slices(draw, length):
    """An int, a slice or a list of places for each axis; a list may read a place twice. Perhaps a new axis."""
    shape = any_shape(draw, length, least=1)
    with_list = draw(st.integers(-1, len(shape) - 1))  # the axis read by a list of places; −1: none
    index = []
    for axis, n in enumerate(shape):
        if n == 0:
            index.append(slice(None))
        elif axis == with_list:
            index.append(draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=4)))
        elif with_list == -1 and draw(st.booleans()):
            index.append(draw(st.integers(-n, n - 1)))
        else:
            index.append(draw(st.slices(n)))
    if with_list == -1 and draw(st.booleans()):
        index.insert(draw(st.integers(0, len(index))), None)
    return [shape], {"index": tuple(index)}


def slice_defined(x, index):
    """Places are looked up in an array of their numbers, which NumPy indexes for us; the values, one by one."""
    numbers = np.arange(x.size).reshape(x.shape)[index]
    values = [x[place] for place in np.ndindex(x.shape)]
    y = np.empty(numbers.shape)
    for place in np.ndindex(y.shape):
        y[place] = values[numbers[place]]
    return y


def cats(draw, length):
    shape = any_shape(draw, length, least=1)
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(length, min_size=1, max_size=4))
    several = []
    for n in lengths:
        several.append(list(shape))
        several[-1][dim] = n
    return [tuple(one) for one in several], {"dim": dim}


def cat_defined(*xs, dim):
    """Place k of axis `dim` belongs to the first tensor that is longer than what remains of k."""
    shape = list(xs[0].shape)
    shape[dim] = sum(x.shape[dim] for x in xs)
    y = np.empty(shape)
    for place in np.ndindex(y.shape):
        source, k = list(place), 0
        while source[dim] >= xs[k].shape[dim]:
            source[dim] -= xs[k].shape[dim]
            k += 1
        y[place] = xs[k][tuple(source)]
    return y


def pads(draw, length):
    shape = any_shape(draw, length)
    widths = draw(st.lists(st.integers(0, 3), max_size=2 * len(shape)))
    return [shape], {"pad": tuple(widths[: len(widths) // 2 * 2]), "value": draw(st.sampled_from([0.0, -1.5]))}


def pad_defined(x, pad, value):
    before, after = [0] * x.ndim, [0] * x.ndim
    for k in range(0, len(pad), 2):
        before[-1 - k // 2], after[-1 - k // 2] = pad[k], pad[k + 1]
    y = np.full([b + n + a for b, n, a in zip(before, x.shape, after, strict=True)], value)
    for place in np.ndindex(x.shape):
        y[tuple(np.add(place, before).astype(int))] = x[place]
    return y


OPS = {
    "reshape": DrawnOp(reshapes, lambda lib, x, shape: x.reshape(shape), reshape_defined),
    "flatten": DrawnOp(flattenings, lambda lib, x, **settings: lib.flatten(x, **settings), flatten_defined),
    "permute": DrawnOp(permutations, lambda lib, x, dims: x.permute(*dims), permute_defined),
    "transpose": DrawnOp(transpositions, lambda lib, x, dim0, dim1: x.transpose(dim0, dim1), transpose_defined),
    "slice": DrawnOp(slices, lambda lib, x, index: x[index], slice_defined, in_torch=False),  # which has no step < 0
    "cat": DrawnOp(cats, lambda lib, *xs, dim: lib.cat(xs, dim), cat_defined, takes_two=True),
    "pad": DrawnOp(pads, lambda lib, x, **settings: lib.nn.functional.pad(x, **settings), pad_defined),
}
