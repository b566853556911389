"""A gradient of a wrong shape: what must be done to it to make it right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from math import prod

import numpy as np

from tinyres.check.diagnosis.evidence import Evidence, affordable, jacobian, same, subsets

Shape = tuple[int, ...]
Claims = Iterator[tuple[np.ndarray, np.ndarray, str]]  # (two arrays that agree, if this is the mistake; the mistake)


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
        for family in (rearranged, too_large, too_small):
            for a, b, mistake in family(gradient(gy), true):
                if same(a, b, 1e-6):
                    return f"{start}: {mistake}"
    return f"{start}. {by_shape_alone(came, x.shape, y_shape)}"


def rearranged(claimed: np.ndarray, true: np.ndarray) -> Claims:
    if claimed.size != true.size:
        return
    for order in permutations(range(claimed.ndim)):
        if tuple(claimed.shape[a] for a in order) == true.shape and order != tuple(range(claimed.ndim)):
            yield claimed.transpose(order), true, f"it is transposed. Its axes must be put in the order {order}."
    yield (
        claimed.reshape(true.shape),
        true,
        "the values are right, but the shape is not: an axis of length 1 was kept or squeezed (keepdims), or a reshape "
        "was not undone. Return it as .reshape(x.shape).",
    )


def too_large(claimed: np.ndarray, true: np.ndarray) -> Claims:
    for axes in subsets(claimed.ndim):
        for keepdims in (True, False):
            if (summed := claimed.sum(axes, keepdims=keepdims)).shape == true.shape:
                yield (
                    summed,
                    true,
                    f"it is not summed over axis {', '.join(map(str, axes))}. Forward broadcasts the input along it "
                    f"(uses each of its elements many times), so backward must add up: .sum(axis={axes}"
                    f"{', keepdims=True' if keepdims else ''}).",
                )
    for first, inner in insides(true.shape, claimed.shape):
        longer = [a for a in range(true.ndim) if claimed.shape[a] > true.shape[a]]
        if all(2 * first[a] == claimed.shape[a] - true.shape[a] for a in longer):
            mistake = (
                "it still has the border that the padding added: the padding is not cropped off. The gradient of x "
                f"itself lies inside it, from {first} on."
            )
        else:
            parts = ", ".join(f"{first[a]}:{first[a] + true.shape[a]} of axis {a}" for a in longer)
            mistake = f"it is too long. What belongs to x is {parts}; the rest does not."
        yield claimed[inner], true, mistake


def too_small(claimed: np.ndarray, true: np.ndarray) -> Claims:
    shape = true.shape
    for axes in subsets(true.ndim):
        wide = np.expand_dims(claimed, axes) if claimed.ndim + len(axes) == true.ndim else claimed
        kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
        if wide.shape == kept != shape:
            n = prod(shape[a] for a in axes)
            expanded = f"expanded over axis {axes}, which forward"
            yield np.broadcast_to(wide, shape), true, f"gy is not {expanded} reduced: every element of x must get it."
            yield np.broadcast_to(wide, shape) / n, true, f"gy is neither {expanded} averaged, nor divided by {n}."
        for keepdims in (True, False):
            for name, total in (("summed", np.sum), ("averaged", np.mean)):
                reduced = total(true, axes, keepdims=keepdims)
                yield claimed, reduced, f"it was {name} over axis {axes} of the input, which must stay."
    for first, inner in insides(claimed.shape, shape):
        yield (
            claimed,
            true[inner],
            f"it is the right gradient, but only for a part of the input, from {first} on. What is missing must be "
            "there too, with zeros where no output reads x (a slice's other elements, a stride's border).",
        )


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
                f"It is too long along axis {', '.join(map(str, long))} and too short along axis "
                f"{', '.join(map(str, short))}: cut or summed along the wrong axis."
            )
        if long:
            return "It is larger: a padding that was not cropped off, or an axis that was not summed."
        return "It is smaller: elements that no output reads need a gradient too (zero), or too much was cropped off."
    if len(came) < len(shape):
        return "Axes are missing: it was summed over too many, or not expanded again."
    return "It has too many axes: a sum over the broadcast axes (the batch?) is missing."
