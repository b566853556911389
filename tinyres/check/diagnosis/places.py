"""The right values at wrong places: transposed, flipped, shifted, handed to the wrong input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, jacobian, same, subsets
from tinyres.check.diagnosis.linearity import Backward


def wrong_input(facts: Facts, backwards: list[Backward]) -> str | None:
    """The gradient of another input, which has the same shape."""
    for j, x in enumerate(facts.inputs):
        if j == facts.index or x.shape != facts.x.shape or x.dtype.kind != "f":
            continue
        theirs = jacobian(facts.forward, facts.inputs, j)
        if not same(facts.claimed, theirs) or same(facts.true, theirs):
            continue
        swapped = same(np.stack([backwards[j](gy) for gy in facts.gys]), facts.gradients(facts.true))
        if swapped:
            hint = " (Both signs flipped would look the same.)" if same(theirs, -facts.true) else ""
            if constant(np.abs(theirs[theirs != 0])) is None:
                hint = " In a product: each must be multiplied by the other's value, not by its own."
            elif not np.any((theirs != 0) & (facts.true != 0)):
                hint = (
                    " Where one is due the other arrives, as with a mask inverted or the parts of a cat "
                    "taken the wrong way round."
                )
            return (
                f"The gradients of inputs {facts.index} and {j} are swapped: return them in the order of forward's "
                f"parameters.{hint}"
            )
        own = np.isin(np.round(np.abs(theirs[theirs != 0]), 6), np.round(np.abs(facts.x), 6)).all()
        if own and not same(theirs, -facts.true):
            return (
                f"The gradient of input {facts.index} is the one that belongs to input {j}: in a product, it is "
                "multiplied by its own value where the other's is due."
            )
    return None


def misdirected(facts: Facts) -> str | None:
    """Another input's gradient, if nothing better is known."""
    for j, x in enumerate(facts.inputs):
        if j == facts.index or x.shape != facts.x.shape or x.dtype.kind != "f":
            continue
        if same(facts.claimed, jacobian(facts.forward, facts.inputs, j)):
            return f"The gradient returned for input {facts.index} is the one that belongs to input {j}."
    return None


def moved(facts: Facts) -> str | None:
    """claimed is true with its rows (gy) or columns (x) rearranged as a whole."""
    true, claimed = facts.true, facts.claimed
    if true.shape[0] == true.shape[1] and true.size > 1:
        if is_permutation(true) and same(claimed, true.T):
            return (
                "Forward moves values to other places, and backward moves them the same way once more: it must undo "
                "the move, with the inverse permutation (for permute: np.argsort(axes)), or roll and flip back."
            )
        if same(claimed, np.eye(len(true))):
            return unmoved(facts)
    for axis, shape, says in (
        (1, facts.x.shape, "The gradient has the right values at the wrong places: it is {}."),
        (0, facts.y.shape, "gy is read at the wrong places: the gradient is right for a gy that is {}."),
    ):
        row = np.abs(true).sum(1 - axis)  # a sum of each column (or row) tells most of them apart, at little cost
        claimed_row = np.abs(claimed).sum(1 - axis)
        for places, kept, what in rearrangements(shape):
            if same(claimed_row, row[places] * kept, 1e-6):
                matrix = true.take(places, axis) * (kept if axis == 1 else kept[:, None])
                if same(claimed, matrix):
                    return says.format(what.replace("by -", "by −"))
    return None


def unmoved(facts: Facts) -> str | None:
    """gy is handed on in its flat order."""
    if not is_permutation(facts.true):
        return None
    return (
        "gy is handed on in the order in which it came (or merely reshaped), but forward moves values to other places "
        "(transpose, flip, roll): that is not undone. Transpose (permute) gy back."
    )


def is_permutation(matrix: np.ndarray) -> bool:
    return same(np.sort(matrix, axis=1)[:, -1], np.ones(len(matrix))) and bool(np.all((matrix != 0).sum(1) == 1))


def rearrangements(shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """(from where each element comes, which are kept and not 0, how one would call that)"""
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    everything = np.ones(places.size)
    straight = tuple(range(len(shape)))
    for order in permutations(straight):
        if order == straight:
            continue
        back = tuple(map(int, np.argsort(order)))
        if places.transpose(back).shape == shape:
            exchanged = [a for a, b in enumerate(order) if a != b]
            channels = ", as with input and output channels swapped" if exchanged == [0, 1] and len(shape) == 4 else ""
            axes = " and ".join(map(str, exchanged))
            yield places.transpose(back).ravel(), everything, f"transposed (axes {axes} are exchanged{channels})"
        turned = places.transpose(order).ravel()
        yield (
            np.argsort(turned),
            everything,
            f"reshaped where it should have been transposed (axes in the order {order})",
        )
        due = f"transpose{order} before the reshape is missing"
        yield turned, everything, f"in another order: it is merely reshaped, and a {due} (or is there and not due)"
    for turned_axes in subsets(len(shape)):
        hint = ", as with a kernel rotated by 180°" if turned_axes == (2, 3) else ""
        yield np.flip(places, turned_axes).ravel(), everything, f"flipped along axis {listed(turned_axes)}{hint}"
    yield from slid(shape)
    for axis, length in enumerate(shape):
        for by in range(1, length):
            signed = by - length if by > length // 2 else by
            what = f"shifted by {signed} along axis {axis}, going round"
            if 2 * by == length > 2:
                what = f"in another order: its two halves along axis {axis} are exchanged"
            yield np.roll(places, by, axis).ravel(), everything, what


def slid(shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Shifted along some axes, with zeros coming in."""
    places = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    for moved_axes in subsets(len(shape)):
        for signs in np.ndindex(*(2,) * len(moved_axes)):
            steps = tuple(1 - 2 * s for s in signs)
            kept = np.ones(shape)
            for axis, step in zip(moved_axes, steps, strict=True):
                edge: list[slice | int] = [slice(None)] * len(shape)
                edge[axis] = 0 if step > 0 else -1
                kept[tuple(edge)] = 0
            hint = "(the padding, or the start of a slice, is off by one)"
            what = f"shifted by {listed(steps)} along axis {listed(moved_axes)} {hint}"
            yield np.roll(places, steps, moved_axes).ravel(), kept.ravel(), what
    for axis, length in enumerate(shape):
        for by in (2, -2, 3, -3):
            if 2 * abs(by) <= length:
                kept = np.ones(shape)
                kept.swapaxes(0, axis)[slice(by) if by > 0 else slice(by, None)] = 0
                what = f"shifted by {by} along axis {axis} (the padding, or the start of a slice, is wrong)"
                yield np.roll(places, by, axis).ravel(), kept.ravel(), what


def listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)).replace("-", "−")


def scattered(facts: Facts) -> str | None:
    """Each output hands back the right values, but to other elements of x."""
    true, claimed = facts.true, facts.claimed
    if not same(np.sort(claimed, axis=1), np.sort(true, axis=1)) or np.all((true != 0).sum(1) != 1):
        return None
    one = (true != 0).sum(1) == 1
    wrong = [k for k in range(len(true)) if one[k] and not same(claimed[k], true[k])]
    if not wrong:
        return None
    k = wrong[0]
    place = tuple(map(int, np.unravel_index(k, facts.y.shape)))
    came, due = (tuple(map(int, np.unravel_index(np.argmax(np.abs(m[k])), facts.x.shape))) for m in (claimed, true))
    return (
        f"The right values arrive at the wrong places: gy{list(place)} is added to gx{list(came)}, but y{list(place)} "
        f"comes from x{list(due)}. {len(wrong)} of {len(true)} outputs are concerned; compare the indices (axis, "
        "start, order, inverse permutation) with those of forward."
    )
