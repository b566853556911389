"""The right gradient of something else: an array on the way was moved, turned, shifted or replaced.

What can happen to an array happens to three kinds of them: to the finished gradient, to gy before it is used, and to an
input that backward multiplies by (a kernel that is flipped, a W without its .T). Gradient and gy are compared directly;
for an input, forward's slope at the changed input tells what the gradient would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations, product

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, joined, same, slope, subsets

Shape = tuple[int, ...]
Change = tuple[Callable[[np.ndarray], np.ndarray], str]  # what is done to an array, in words: "transposed", …


def moved(facts: Facts) -> str | None:
    """Gradient or gy: the right values at the wrong places."""
    true = facts.true
    if is_permutation(true) and same(facts.claimed, true.T):
        return (
            "Forward moves values to other places, and backward moves them the same way once more: it must undo "
            "the move, with the inverse permutation (for permute: np.argsort(axes)), or roll and flip back."
        )
    return changed(
        facts,
        places,
        "The gradient has the right values at the wrong places: it is {}.",
        "gy is read at the wrong places: the gradient is right for a gy that is {}.",
    )


def blended(facts: Facts) -> str | None:
    """Gradient or gy: summed or averaged, and spread again."""
    end = ", and every element gets the same: leave that out."
    return changed(facts, means, "The gradient is {} of x at the end" + end, "gy is {} first" + end)


def multiplied(facts: Facts) -> str | None:
    """Gradient or gy: multiplied, or divided, by an input or by y once more."""

    def factors(shape: Shape) -> Iterator[Change]:
        for name, a in (("x", facts.x), *facts.others, ("y", facts.y)):
            if a.shape == shape and a.size > 1:
                yield partial(np.multiply, a), f"multiplied by {name}"
                yield partial(np.multiply, 1 / a), f"divided by {name}"

    end = ", element by element. Otherwise it is right."
    return changed(facts, factors, "The finished gradient is {} once more" + end, "gy is {} first" + end)


def changed(facts: Facts, ways: Callable[[Shape], Iterator[Change]], gradient: str, gy: str) -> str | None:
    """The claimed gradient is the true one for a changed gy, or the true one changed: what is said of it."""
    true, claimed = (facts.gradients(matrix)[:3] for matrix in (facts.true, facts.claimed))
    for says, arrays in ((gy, facts.gys[:3]), (gradient, true)):
        for change, words in ways(arrays.shape[1:]):
            came = np.stack([change(a) for a in arrays])
            if says == gy:
                came = (came.reshape(3, -1) @ facts.true).reshape(true.shape)
            if same(claimed, came) and not same(came, true):
                return says.format(words.replace("-", "−"))
    return None


def is_permutation(matrix: np.ndarray) -> bool:
    square = matrix.shape[0] == matrix.shape[1] > 1
    return square and same(matrix.max(1), np.ones(len(matrix))) and bool(np.all((matrix != 0).sum(1) == 1))


def places(shape: Shape) -> Iterator[Change]:
    """Values go to other places."""
    straight = tuple(range(len(shape)))
    for order in permutations(straight):
        if order == straight:
            continue
        back, turned = tuple(map(int, np.argsort(order))), tuple(shape[a] for a in order)
        axes = [a for a, b in enumerate(order) if a != b]
        if tuple(shape[a] for a in back) == shape and len(axes) == 2:
            channels = ", as with input and output channels swapped" if axes == [0, 1] and len(shape) == 4 else ""
            exchanged = f"transposed (axes {' and '.join(map(str, axes))} are exchanged{channels})"
            yield partial(np.transpose, axes=back), exchanged
        yield (
            partial(rearranged, first=turned, order=back, last=shape),
            f"reshaped where it should have been transposed (axes in the order {order})",
        )
        yield (
            partial(rearranged, first=shape, order=order, last=shape),
            f"in another order: it is merely reshaped, and a transpose{order} before the reshape is missing (or is "
            "there and not due)",
        )
    for flipped in subsets(len(shape)):
        hint = ", as with a kernel rotated by 180°" if flipped == (2, 3) else ""
        yield partial(np.flip, axis=flipped), f"flipped along axis {joined(flipped)}{hint}"
    shifts = [
        dict(zip(axes, by, strict=True)) for axes in subsets(len(shape)) for by in product((1, -1), repeat=len(axes))
    ]
    shifts += [{axis: by} for axis, n in enumerate(shape) for by in (2, -2, 3, -3) if 2 * abs(by) <= n]
    for by in shifts:
        what = f"shifted by {joined(tuple(by.values()))} along axis {joined(tuple(by))}"
        yield partial(slid, by=by), f"{what} (the padding, or the start of a slice, is off)"
    for axis, length in enumerate(shape):
        for n in range(1, length):
            what = f"shifted by {n - length if n > length // 2 else n} along axis {axis}, going round"
            if 2 * n == length > 2:
                what = f"in another order: its two halves along axis {axis} are exchanged"
            yield partial(np.roll, shift=n, axis=axis), what


def rearranged(a: np.ndarray, first: Shape, order: Shape, last: Shape) -> np.ndarray:
    return a.reshape(first).transpose(order).reshape(last)


def slid(a: np.ndarray, by: dict[int, int]) -> np.ndarray:
    """Shifted along some axes, by as many places as `by` gives for each, with zeros coming in."""
    out = np.roll(a, tuple(by.values()), tuple(by))
    for axis, n in by.items():
        np.moveaxis(out, axis, 0)[slice(n) if n > 0 else slice(n, None)] = 0
    return out


def means(shape: Shape) -> Iterator[Change]:
    """A mean or a sum, spread over the axes that it was taken over."""
    for axes in subsets(len(shape)):
        for verb, total in (("averaged", np.mean), ("summed", np.sum)):
            yield partial(spread, total=total, axes=axes), f"{verb} over axis {joined(axes)}"


def spread(a: np.ndarray, total: Callable[..., np.ndarray], axes: Shape) -> np.ndarray:
    return np.broadcast_to(total(a, axis=axes, keepdims=True), a.shape)


# ---- another value of an input ---------------------------------------------------------------------------------------


def wrong_ingredient(facts: Facts) -> str | None:
    """The claimed gradient is the true one at other values of the inputs."""
    directions = np.random.default_rng(17).standard_normal((2, *facts.x.shape))
    for j, name in ((facts.index, "x"), *((int(n.split()[1]), n) for n, _ in facts.others)):
        for value, what in alterations(facts.inputs[j], facts, name):
            if what.endswith("is forgotten") and not scaled_by(facts, j, directions[0]):
                continue
            inputs = [value if k == j else a for k, a in enumerate(facts.inputs)]
            for turned in (False, True) if square(facts.x.shape) and square(facts.y.shape) else (False,):
                if all(agrees(facts, inputs, d, turned) for d in directions):
                    order = " (and the factors are in the wrong order)" if turned else ""
                    return f"The gradient is the right one for {what}{order}.".replace("-", "−")
    return None


def square(shape: Shape) -> bool:
    return len(shape) == 2 and shape[0] == shape[1]


def scaled_by(facts: Facts, j: int, d: np.ndarray) -> bool:
    """Whether the gradient has input j as a factor: not if it stays as it is where that is twice as large."""
    doubled = [2 * a if k == j else a for k, a in enumerate(facts.inputs)]
    return not same(slope(facts.forward, doubled, facts.index, d), slope(facts.forward, facts.inputs, facts.index, d))


def agrees(facts: Facts, inputs: list[np.ndarray], d: np.ndarray, turned: bool) -> bool:
    """slope at the altered inputs = claimed Jacobian · d; turned: x and y transposed, gy·b against b·gy"""
    claimed = (facts.claimed @ d.ravel()).reshape(facts.y.shape)
    try:
        true = slope(facts.forward, inputs, facts.index, d.T if turned else d)
    except Exception:  # this forward does not take such an input: then it is not what happened
        return False
    return np.shape(true) == facts.y.shape and same(claimed, true.T if turned else true)


def alterations(a: np.ndarray, facts: Facts, name: str) -> Iterator[tuple[np.ndarray, str]]:
    """(another value for this input, what the gradient is the right one for)"""
    for change, words in places(a.shape):
        missing = ": a .T is missing there, or one too many" if a.ndim == 2 and words.startswith("transposed") else ""
        yield change(a), f"{name} {words}{missing}"
        if a.ndim == 4 and a.shape[0] == a.shape[1] and words.endswith("180°"):
            yield change(a).swapaxes(0, 1), f"{name} {words}, and with channels swapped"
    if a.size > 1 or name != "x":
        yield np.ones_like(a), f"{name} = 1: the factor {name} is forgotten"
    yield np.zeros_like(a), f"{name} = 0: the terms with {name} are missing"
    yield -a, f"−{name} in place of {name}: a sign is wrong"
    with np.errstate(all="ignore"):
        yield 1 / a, f"1/{name} in place of {name}: multiplied where it must be divided, or the other way round"
    yield a * a, f"{name} squared: {name} enters twice"
    yield np.abs(a), f"|{name}| in place of {name}"
    yield a * (a > 0), f"max({name}, 0) in place of {name}"
    if name == "x" and facts.y.shape == a.shape:
        yield facts.y, "y in place of x: the derivative is evaluated at the output, where the input is due"
    for other, b in [("x", facts.x), *facts.others]:
        if other != name and b.shape == a.shape:
            yield b, f"{other} in place of {name}: the wrong one of the two values is used"
    for change, words in means(a.shape):
        yield change(a), f"{name} {words}"
    for axis, length in enumerate(a.shape):
        for i in range(length if length > 1 else 0):
            at = ", ".join(str(i) if k == axis else ":" for k in range(a.ndim))
            what = f"{name}[{at}] in place of all of {name}: along axis {axis} the index {i} is used for every one"
            yield np.broadcast_to(a.take([i], axis), a.shape), what
