"""A gradient of a wrong shape: what must be done to it to make it right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from math import prod

import numpy as np

from tinyres.check.diagnosis.evidence import Evidence, affordable, jacobian, same, subsets


def wrong_shape(
    evidence: Evidence, came: tuple[int, ...], gradient: Callable[[np.ndarray], np.ndarray] | None = None
) -> str:
    """came: the shape that backward returned. gradient: gy -> what it returned, if that can be had."""
    x = evidence.inputs[evidence.index]
    y_shape = np.shape(evidence.forward(*evidence.inputs))
    start = f"The gradient of input {evidence.index} has shape {came}, but the input has {x.shape}"
    if 0 in came:
        return f"{start}: it is empty, as a slice [p:-p] is with p = 0; write [p : p + length]."
    if gradient is not None and affordable(evidence):
        gy = np.asarray(np.random.default_rng(5).standard_normal(y_shape))
        claimed = gradient(gy)
        true = (gy.ravel() @ jacobian(evidence.forward, evidence.inputs, evidence.index)).reshape(x.shape)
        for mended, mistake in mends(claimed, true):
            if same(mended, true, 1e-6):
                return f"{start}: {mistake}"
        for mended, mistake in damages(true, came):
            if same(claimed, mended, 1e-6):
                return f"{start}: {mistake}"
    return f"{start}. {by_shape_alone(came, x.shape, y_shape)}"


def mends(claimed: np.ndarray, true: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    """(what becomes of the claim, the mistake that this would undo)"""
    shape = true.shape
    if claimed.size == true.size:
        for order in permutations(range(claimed.ndim)):
            if tuple(claimed.shape[a] for a in order) == shape and order != tuple(range(claimed.ndim)):
                yield claimed.transpose(order), f"it is transposed. Its axes must be put in the order {order}."
        yield (
            claimed.reshape(shape),
            "the values are right, but the shape is not: an axis of length 1 was kept or squeezed "
            "(keepdims), or a reshape was not undone. Return it as .reshape(x.shape).",
        )
    for axes in subsets(claimed.ndim):
        names = ", ".join(map(str, axes))
        for keepdims in (True, False):
            summed = claimed.sum(axes, keepdims=keepdims)
            if summed.shape == shape:
                yield (
                    summed,
                    f"it is not summed over axis {names}. Forward broadcasts the input along it (uses each of its "
                    f"elements many times), so backward must add up: .sum(axis={axes}"
                    f"{', keepdims=True' if keepdims else ''}).",
                )
    for axes in subsets(true.ndim):
        missing = np.expand_dims(claimed, axes) if claimed.ndim + len(axes) == true.ndim else claimed
        fits = missing.ndim == true.ndim and all(n in (1, m) for n, m in zip(missing.shape, shape, strict=True))
        if fits and set(axes) == {a for a in range(true.ndim) if missing.shape[a] < shape[a]}:
            divisor = prod(shape[a] for a in axes)
            yield (
                np.broadcast_to(missing, shape),
                f"gy is not expanded over axis {axes}, which forward reduced: every element of x must get it.",
            )
            yield (
                np.broadcast_to(missing, shape) / divisor,
                f"gy is neither expanded over axis {axes}, which forward averaged, nor divided by {divisor}.",
            )
    if claimed.ndim == true.ndim and all(a >= b for a, b in zip(claimed.shape, shape, strict=True)):
        room = [range(a - b + 1) for a, b in zip(claimed.shape, shape, strict=True)]
        for first in np.ndindex(*(len(r) for r in room)):
            inner = tuple(slice(f, f + n) for f, n in zip(first, shape, strict=True))
            longer = [a for a in range(true.ndim) if claimed.shape[a] > shape[a]]
            parts = ", ".join(f"{first[a]}:{first[a] + shape[a]} of axis {a}" for a in longer)
            if all(2 * first[a] == claimed.shape[a] - shape[a] for a in longer):
                mistake = (
                    "it still has the border that the padding added: the padding is not cropped off. The gradient of x "
                    f"itself lies inside it, from {first} on."
                )
            else:
                mistake = f"it is too long. What belongs to x is {parts}; the rest is another's, or nobody's."
            yield claimed[inner], mistake


def damages(true: np.ndarray, came: tuple[int, ...]) -> Iterator[tuple[np.ndarray, str]]:
    """(the true gradient with a mistake made, the mistake)"""
    for axes in subsets(true.ndim):
        for keepdims in (True, False):
            for name, reduced in (
                ("summed", true.sum(axes, keepdims=keepdims)),
                ("averaged", true.mean(axes, keepdims=keepdims)),
            ):
                yield reduced, f"it was {name} over axis {axes} of the input, which must stay."
    if len(came) == true.ndim and all(a <= b for a, b in zip(came, true.shape, strict=True)):
        room = [range(b - a + 1) for a, b in zip(came, true.shape, strict=True)]
        for first in np.ndindex(*(len(r) for r in room)):
            inner = tuple(slice(f, f + n) for f, n in zip(first, came, strict=True))
            yield (
                true[inner],
                f"it is the right gradient, but only for a part of the input, from {first} on. What is missing must "
                "be there too, with zeros where no output reads x (a slice's other elements, a stride's border).",
            )


def without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for a, n in enumerate(shape) if a not in axes)


def by_shape_alone(came: tuple[int, ...], shape: tuple[int, ...], y_shape: tuple[int, ...]) -> str:
    """What the shapes suggest, where the values do not tell more."""
    if len(came) == 1 < len(shape) and came[0] < prod(shape) and came[0] not in (*shape, *y_shape):
        return "It is flat and has fewer elements, as a[mask] has: use np.where(mask, a, 0), which keeps the shape."
    if shape == y_shape and len(shape) == 2 and came in {(n, n) for n in shape}:
        return "So it would be by a matrix product (@); if forward works element by element, so does backward (*)."
    summed = {shape_: axes for axes in subsets(len(y_shape)) if (shape_ := without(y_shape, axes)) in (came, shape)}
    if came in summed and shape in summed and came != y_shape:
        return f"gy is summed over axis {summed[came]}, but the sum must run over axis {summed[shape]}."
    if sorted(came) == sorted(shape) and came != y_shape:
        return "It looks transposed: the same axes in another order."
    if tuple(n for n in came if n != 1) == tuple(n for n in shape if n != 1):
        return "Only axes of length 1 differ (keepdims, a squeeze): return it as .reshape(x.shape)."
    if came == y_shape:
        if prod(came) == prod(shape):
            return "That is the shape of the output: a reshape or transpose was not undone."
        if prod(came) > prod(shape):
            return (
                "That is the shape of the output: where forward broadcasts an input, backward must sum gy over the "
                "axes along which it did (sum over the broadcast axes)."
            )
        return "That is the shape of the output: gy must be expanded (spread) to the input's shape."
    if len(came) == len(shape) and any(a > b for a, b in zip(came, shape, strict=True)):
        short = [k for k, (a, b) in enumerate(zip(came, shape, strict=True)) if a < b]
        if short:
            long = [k for k, (a, b) in enumerate(zip(came, shape, strict=True)) if a > b]
            return (
                f"It is too long along axis {', '.join(map(str, long))} and too short along axis "
                f"{', '.join(map(str, short))}: cut or summed along the wrong axis."
            )
    if len(came) == len(shape) and all(a >= b for a, b in zip(came, shape, strict=True)):
        return "It is larger: a padding that was not cropped off, or an axis that was not summed."
    if len(came) == len(shape):
        return "It is smaller: elements that no output reads need a gradient too (zero), or too much was cropped off."
    if len(came) < len(shape):
        return "Axes are missing: it was summed over too many, or not expanded again."
    return "It has too many axes: a sum over the broadcast axes (the batch?) is missing."
