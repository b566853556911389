"""The right values at wrong places: transposed, flipped, shifted, overwritten, handed to the wrong input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from tinyres.diagnosis.evidence import Facts, constant, jacobian, same, subsets
from tinyres.diagnosis.linearity import Backward


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
                hint = " Where one is due the other arrives, as with a mask inverted or the parts of a cat taken the wrong way round."
            return (
                f"The gradients of inputs {facts.index} and {j} are swapped: return them in the order of forward's "
                f"parameters.{hint}"
            )
        if not same(theirs, -facts.true):
            return (
                f"Input {facts.index} is given the gradient that belongs to input {j}. In a product this means that it "
                "is multiplied by its own value where the other's is due."
            )
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
                    return says.format(what)
    return None


def transposed_map(facts: Facts) -> str | None:
    """The Jacobian itself in place of its transpose."""
    if facts.true.shape[0] != facts.true.shape[1] or not same(facts.claimed, facts.true.T) or facts.true.size == 1:
        return None
    return (
        "Backward applies forward's own linear map to gy, where its transpose is due: a matrix stands there without "
        ".T, or a sum runs in the wrong direction (a cumulative sum forwards, for instance)."
    )


def paths(facts: Facts) -> str | None:
    """y = x + f(x): one of the two ways is lost."""
    if facts.x.shape != facts.y.shape:
        return None
    skip = np.eye(facts.x.size)
    if same(facts.claimed, facts.true - skip):
        return (
            "The gradient is too small by exactly gy: the path of x itself (the skip connection of a residual) is not "
            "accumulated. Add gy to what comes back through the branch."
        )
    if same(facts.claimed, facts.true + skip):
        return "The gradient is too large by exactly gy: gy is added once too often, as for a skip connection counted twice."
    if same(facts.claimed, skip):
        return (
            "gy is passed on unchanged, as if y were x: what forward does is left out. For a residual x + f(x), only "
            "the path of x is counted, and what comes back through the branch f is not accumulated."
        )
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
        yield turned, everything, f"transposed and then reshaped where neither was due (axes in the order {order})"
    for axes in subsets(len(shape)):
        hint = ", as with a kernel rotated by 180°" if axes == (2, 3) else ""
        yield np.flip(places, axes).ravel(), everything, f"flipped along axis {listed(axes)}{hint}"
    for axis, length in enumerate(shape):
        for by in range(1, length):
            signed = by - length if by > length // 2 else by
            yield np.roll(places, by, axis).ravel(), everything, f"shifted by {signed} along axis {axis}, going round"
    for axes in subsets(len(shape)):
        for signs in np.ndindex(*(2,) * len(axes)):
            by = tuple(1 - 2 * s for s in signs)
            kept = np.ones(shape)
            for axis, step in zip(axes, by, strict=True):
                edge: list = [slice(None)] * len(shape)
                edge[axis] = 0 if step > 0 else -1
                kept[tuple(edge)] = 0
            hint = "(the padding, or the start of a slice, is off by one)"
            yield (
                np.roll(places, by, axes).ravel(),
                kept.ravel(),
                f"shifted by {listed(by)} along axis {listed(axes)} {hint}",
            )


def listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers)).replace("-", "−")


def mixed(facts: Facts) -> str | None:
    """gy, or the finished gradient, is summed or averaged over an axis and spread again."""
    for axis, shape, what in (
        (0, facts.y.shape, "gy is {} over axis {} first"),
        (1, facts.x.shape, "The gradient is {} over axis {} of x at the end"),
    ):
        for axes in subsets(len(shape)):
            table = facts.true.reshape(*shape, -1) if axis == 0 else facts.true.reshape(-1, *shape)
            over = tuple(a + axis for a in axes)
            for reduced, verb in (
                (table.mean(over, keepdims=True), "averaged"),
                (table.sum(over, keepdims=True), "summed"),
            ):
                matrix = np.broadcast_to(reduced, table.shape).reshape(facts.true.shape)
                if same(facts.claimed, matrix) and not same(matrix, facts.true):
                    done = what.format(verb, ", ".join(map(str, axes)))
                    return f"{done}, and every element gets the same: leave out that {'mean' if verb == 'averaged' else 'sum'}."
    return None


def divisor_constant(facts: Facts) -> str | None:
    """y = x·s(x), with s a norm, a sum, a mean over x: s is treated as a constant."""
    if facts.x.shape != facts.y.shape or np.any(facts.x == 0):
        return None
    if not same(facts.claimed, np.diag((facts.y / facts.x).ravel())):
        return None
    return (
        "Only the direct way is counted: the gradient is gy·y/x, as if what x is multiplied or divided by (a norm, a sum, "
        "a gate) were a constant. It depends on x too: its term is missing."
    )


def overwritten(facts: Facts) -> str | None:
    """Where several outputs read one x, only the last of them counts: gx[...] = gy in place of +=.

    A backward may loop over some axes of y and treat the others at once; so every choice of looped axes is tried.
    """
    true, claimed = facts.true, facts.claimed
    used = true != 0
    if not np.any(used.sum(0) > 1):
        return None
    indices = np.indices(facts.y.shape).reshape(facts.y.ndim, -1)
    for looped in sorted(subsets(facts.y.ndim), key=len, reverse=True):
        lengths = [facts.y.shape[a] for a in looped]
        step = np.ravel_multi_index(tuple(indices[a] for a in looped), lengths)[:, None]  # when in the loop
        last = np.where(used, step, -1).max(0)
        kept = np.where(step == last, true, 0)
        if same(claimed, kept) and not same(kept, true):
            alternative = one_slice(facts, step, looped)
            return (
                "Where several outputs read the same element of x, only the last of them counts: the gradient is "
                "assigned (overwritten) instead of added. Accumulate with += (np.add.at for index arrays); overlapping "
                f"windows, repeated indices and broadcasts must be summed.{alternative}"
            )
    return None


def one_slice(facts: Facts, step: np.ndarray, looped: tuple[int, ...]) -> str:
    """Only the very last step of the loop arrives: a slice gy[-1] looks the same."""
    arrives = facts.claimed.any(1)
    if not np.array_equal(arrives, step[:, 0] == step.max()):
        return ""
    return f" (Taking only the last of gy along axis {', '.join(map(str, looped))}, gy[-1], would look the same.)"


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
