"""The right formula with wrong ingredients: the claimed gradient is the true one at other values of the inputs.

A kernel that is flipped, a W without its .T, a gamma left out, x where y is due: for each, change that input, and
look whether forward's slope there agrees with backward here, along random directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, same, slope, subsets


def wrong_ingredient(facts: Facts) -> str | None:
    draws = np.random.default_rng(17)
    directions = draws.standard_normal((2, *facts.x.shape))
    for j, name in ((facts.index, "x"), *((int(n.split()[1]), n) for n, _ in facts.others)):
        for value, what in alterations(facts.inputs[j], facts, name):
            if what.endswith("is forgotten") and not scaled_by(facts, j, directions[0]):
                continue
            inputs = [value if k == j else a for k, a in enumerate(facts.inputs)]
            for x_order, y_order in orders(facts):
                if all(agrees(facts, inputs, d, x_order, y_order) for d in directions):
                    turned = "" if (x_order, y_order) == (None, None) else " (and the factors stand in the wrong order)"
                    return f"The gradient is the right one for {what}{turned}."
    return None


def scaled_by(facts: Facts, j: int, d: np.ndarray) -> bool:
    """Whether the gradient has input j as a factor: not if it stays as it is where that is twice as large."""
    doubled = [2 * a if k == j else a for k, a in enumerate(facts.inputs)]
    return not same(slope(facts.forward, doubled, facts.index, d), slope(facts.forward, facts.inputs, facts.index, d))


def orders(facts: Facts) -> Iterator[tuple[tuple[int, ...] | None, tuple[int, ...] | None]]:
    """x and y as they are; for square matrices also transposed: gy·b against b·gy."""
    yield None, None
    x, y = facts.x.shape, facts.y.shape
    if len(x) == 2 and len(y) == 2 and x[0] == x[1] and y[0] == y[1]:
        yield (1, 0), (1, 0)


def agrees(facts: Facts, inputs: list[np.ndarray], d: np.ndarray, x_order: object, y_order: object) -> bool:
    """slope at the altered inputs = claimed Jacobian · d"""
    claimed = (facts.claimed @ d.ravel()).reshape(facts.y.shape)
    along = d.T if x_order else d
    try:
        true = slope(facts.forward, inputs, facts.index, along)
    except Exception:  # this forward does not take such an input: then it is not what happened
        return False
    return np.shape(true) == facts.y.shape and same(claimed, true.T if y_order else true)


def alterations(a: np.ndarray, facts: Facts, name: str) -> Iterator[tuple[np.ndarray, str]]:
    """(another value for this input, the mistake in words)"""
    is_x = name == "x"
    kernel = a.ndim == 4
    for order in permutations(range(a.ndim)):
        if order != tuple(range(a.ndim)) and a.transpose(order).shape == a.shape:
            where = f"axes in the order {order}"
            if a.ndim == 2:
                yield a.T, f"{name} transposed: a .T is missing at {name}, or one too many"
            elif kernel and order == (1, 0, 2, 3):
                yield a.transpose(order), f"{name} with its input and output channels swapped ({where})"
            else:
                yield a.transpose(order), f"{name} transposed ({where})"
    for axes in subsets(a.ndim):
        flipped = np.flip(a, axes)
        if kernel and axes == (2, 3):
            yield flipped, f"a flipped kernel (rotated by 180°): {name} is turned round once too often or too little"
            if a.shape[0] == a.shape[1]:
                yield flipped.swapaxes(0, 1), f"a flipped kernel (rotated by 180°) with channels swapped ({name})"
        else:
            yield flipped, f"{name} flipped along axis {axes}"
    if a.size > 1 or not is_x:
        yield np.ones_like(a), f"{name} = 1: the factor {name} is forgotten"
    yield np.zeros_like(a), f"{name} = 0: the terms with {name} are missing"
    yield -a, f"−{name} in place of {name}: a sign is wrong"
    with np.errstate(all="ignore"):
        yield 1 / a, f"1/{name} in place of {name}: multiplied where it must be divided, or the other way round"
    yield a * a, f"{name} squared: {name} enters twice"
    yield np.abs(a), f"|{name}| in place of {name}"
    yield a * (a > 0), f"max({name}, 0) in place of {name}"
    if is_x and facts.y.shape == a.shape:
        yield facts.y, "y in place of x: the derivative is evaluated at the output, where the input is due"
    for other, b in [("x", facts.x), *facts.others]:
        if other != name and b.shape == a.shape:
            yield b, f"{other} in place of {name}: the wrong one of the two values is used"
    for axes in subsets(a.ndim):
        yield np.broadcast_to(a.mean(axes, keepdims=True), a.shape), f"{name} replaced by its mean over axis {axes}"
    for axis, length in enumerate(a.shape):
        for i in range(length if length > 1 else 0):
            places = ", ".join(str(i) if k == axis else ":" for k in range(a.ndim))
            yield (
                np.broadcast_to(a.take([i], axis), a.shape),
                f"{name}[{places}] in place of all of {name}: along axis {axis} the index {i} is used for every one",
            )
        for by in (1, -1):
            if length > 1:
                yield np.roll(a, by, axis), f"{name} shifted by {by} along axis {axis}".replace("-", "−")
                yield rolled_out(a, by, axis), f"{name} shifted by {by} along axis {axis}".replace("-", "−")


def rolled_out(a: np.ndarray, by: int, axis: int) -> np.ndarray:
    """Shifted, with zeros coming in."""
    out = np.roll(a, by, axis)
    edge: list[slice | int] = [slice(None)] * a.ndim
    edge[axis] = 0 if by > 0 else -1
    out[tuple(edge)] = 0
    return out
