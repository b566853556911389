"""A gradient of a wrong shape: what must be done to it to make it right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from math import prod

import numpy as np

from tinyres.check.diagnosis.evidence import Evidence, affordable, jacobian, joined, same, subsets

Shape = tuple[int, ...]


def wrong_shape(evidence: Evidence, came: Shape, gradient: Callable[[np.ndarray], np.ndarray] | None = None) -> str:
    """came: the shape that backward returned. gradient: gy -> what it returned, if that can be had."""
    x = evidence.inputs[evidence.index]
    y_shape = np.shape(evidence.forward(*evidence.inputs))
    start = f"The gradient of input {evidence.index} has shape {came}, but the input has {x.shape}"
    if 0 in came:
        return f"{start}: it is empty, as a slice [p:-p] is with p = 0; write [p : p + length]."
    if gradient is not None and affordable(evidence):
        gy = np.asarray(np.random.default_rng(5).standard_normal(y_shape))
        true = (gy.ravel() @ jacobian(evidence.forward, evidence.inputs, evidence.index)).reshape(x.shape)
        if mistake := misshapen(gradient(gy), true):
            return f"{start}: {mistake}"
    return f"{start}. {by_shape_alone(came, x.shape, y_shape)}"


def misshapen(mine: np.ndarray, right: np.ndarray) -> str | None:
    """What must be done to an array, a gradient or another result, that has the wrong shape, to make it right."""
    if right.ndim and not mine.ndim:
        return "one number, where an array is due."
    pairs = (*rearranged(mine, right), *too_large(mine, right), *too_small(mine, right))
    return next((mistake for a, b, mistake in pairs if same(a, b, 1e-6)), None)


Pairs = Iterator[tuple[np.ndarray, np.ndarray, str]]  # (two arrays that agree, if this is the mistake; the mistake)


def rearranged(mine: np.ndarray, right: np.ndarray) -> Pairs:
    if mine.size != right.size:
        return
    for order in permutations(range(mine.ndim)):
        if order != tuple(range(mine.ndim)):
            yield mine.transpose(order), right, f"it is transposed. Its axes must be put in the order {order}."
    yield (
        mine.reshape(right.shape),
        right,
        "the values are right, but the shape is not: an axis of length 1 was kept or squeezed (keepdims), or a reshape "
        "was not undone.",
    )


def too_large(mine: np.ndarray, right: np.ndarray) -> Pairs:
    for axes, keepdims in product(subsets(mine.ndim), (True, False)):
        how = f".sum(axis={axes}{', keepdims=True' if keepdims else ''})"
        words = f"it is not summed over axis {joined(axes)}, along which forward broadcasts: {how} is missing."
        yield mine.sum(axes, keepdims=keepdims), right, words
    for first, inner in insides(right.shape, mine.shape):
        margins = [(f, n - m) for f, n, m in zip(first, mine.shape, right.shape, strict=True) if n > m]
        parts = ", ".join(
            f"{f}:{f + n} of axis {a}"
            for a, (f, n) in enumerate(zip(first, right.shape, strict=True))
            if n < mine.shape[a]
        )
        border = " The border that the padding added is not cropped off." if all(2 * f == n for f, n in margins) else ""
        yield mine[inner], right, f"it is too long. What is due is {parts}; the rest is not.{border}"


def too_small(mine: np.ndarray, right: np.ndarray) -> Pairs:
    for axes in subsets(right.ndim):
        wide = np.expand_dims(mine, axes) if mine.ndim + len(axes) == right.ndim else mine
        if wide.shape == tuple(1 if a in axes else n for a, n in enumerate(right.shape)):
            n = prod(right.shape[a] for a in axes)
            whole = np.broadcast_to(wide, right.shape)
            yield whole, right, f"it is not expanded over axis {axes}: all elements along it must get the same."
            yield whole / n, right, f"it is neither expanded over axis {axes}, nor divided by its {n} elements."
        for keepdims, (name, total) in product((True, False), (("summed", np.sum), ("averaged", np.mean))):
            yield mine, total(right, axes, keepdims=keepdims), f"it was {name} over axis {axes}, which must stay."
    for first, inner in insides(mine.shape, right.shape):
        part = f"it is right, but only a part of what is due, from {first} on."
        yield mine, right[inner], f"{part} The rest must be there too (with zeros, if it is the gradient of a slice)."


def insides(small: Shape, large: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """(where it begins, its slices): every place of the small array inside the large one."""
    if len(small) == len(large) and all(a <= b for a, b in zip(small, large, strict=True)):
        for first in np.ndindex(*(b - a + 1 for a, b in zip(small, large, strict=True))):
            yield first, tuple(slice(f, f + n) for f, n in zip(first, small, strict=True))


def by_shape_alone(came: Shape, shape: Shape, y_shape: Shape) -> str:
    """What the shapes suggest, where the values do not tell more."""
    larger, smaller = prod(came) > prod(shape), prod(came) < prod(shape)
    if len(came) == 1 < len(shape) and smaller and came[0] not in (*shape, *y_shape):
        return "It is flat and has fewer elements, as a[mask] has: use np.where(mask, a, 0), which keeps the shape."
    if shape == y_shape and len(shape) == 2 and came in {(n, n) for n in shape}:
        return "So it would be by a matrix product (@); if forward works element by element, so does backward (*)."
    summed = {tuple(n for a, n in enumerate(y_shape) if a not in axes): axes for axes in subsets(len(y_shape))}
    if came in summed and shape in summed and came != y_shape:
        return f"gy is summed over axis {summed[came]}, but the sum must run over axis {summed[shape]}."
    if sorted(came) == sorted(shape) and came != y_shape:
        return "It looks transposed: the same axes in another order."
    if [n for n in came if n != 1] == [n for n in shape if n != 1]:
        return "Only axes of length 1 differ (keepdims, a squeeze): return it as .reshape(x.shape)."
    if came == y_shape:
        what = (
            "gy must be expanded (spread) to the input's shape" if smaller else "a reshape or transpose was not undone"
        )
        if larger:
            what = "where forward broadcasts an input, backward must sum gy over the axes along which it did"
        return f"That is the shape of the output: {what}."
    if len(came) == len(shape):
        long, short = (
            [k for k, (a, b) in enumerate(zip(came, shape, strict=True)) if sign * a > sign * b] for sign in (1, -1)
        )
        if long and short:
            return (
                f"It is too long along axis {joined(long)} and too short along axis {joined(short)}: cut or summed "
                "along the wrong axis."
            )
        if long:
            return "It is larger: a padding that was not cropped off, or an axis that was not summed."
        return "It is smaller: elements that no output reads need a gradient too (zero), or too much was cropped off."
    if len(came) < len(shape):
        return "Axes are missing: it was summed over too many, or not expanded again."
    return "It has too many axes: a sum over the broadcast axes (the batch?) is missing."
