"""The gradient is the true one times a number: which number, and where would it come from?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations_with_replacement
from math import isclose, prod

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, constant, number, same, subsets

WINDOW = "the number of elements of x behind each output (the window, or the group)"


def constant_factor(facts: Facts) -> float | None:
    energy = np.vdot(facts.true, facts.true)
    factor = float(np.vdot(facts.true, facts.claimed) / energy) if energy else 0.0
    return factor if factor and same(facts.claimed, factor * facts.true) else None


def named_factor(facts: Facts) -> str | None:
    """A factor whose origin can be told."""
    factor = constant_factor(facts)
    if factor is None:
        return None
    start = f"The gradient is {number(factor)} times the true one, everywhere"
    if is_(factor, -1):
        return f"{start}: the sign is wrong (a minus is missing, or one too many)."
    start += "; the sign is wrong (flipped) as well" if factor < 0 else ""
    elementwise = facts.x.shape == facts.y.shape
    if facts.others and elementwise and same(facts.true, np.eye(facts.x.size)):
        whole = "each input gets the whole of it, it is not shared out among them" if abs(factor) < 1 else "no more"
        return f"{start}: the local derivative is 1, so gy arrives as it is: {whole}."
    first = (scales,) if elementwise else ()  # else a number of elements is the better guess
    for family in (divisors, *first, twos_and_roots, counts, scales, far_counts):
        origins = list(family(facts, abs(factor)))
        if family is twos_and_roots and len(origins) < 2:
            origins += list(counts(facts, abs(factor)))
        if origins:
            return f"{start}: {', or '.join(origins)}."
    return None


def unnamed_factor(facts: Facts) -> str | None:
    factor = constant_factor(facts)
    if factor is None or np.count_nonzero(facts.true) < 3:  # one number is a multiple of any other
        return None
    sign = " The sign is wrong (flipped) as well." if factor < 0 else ""
    return f"The gradient is {number(factor)} times the true one, everywhere: a constant factor is wrong.{sign}"


def besides_a_factor(facts: Facts, hypotheses: Iterable[Callable[[Facts], str | None]]) -> str | None:
    """Two mistakes. Most others move values about and keep their size; so the factor can be told from the sizes."""
    size = float(np.linalg.norm(facts.claimed) / np.linalg.norm(facts.true))
    for factor in (size, -size) if size and not is_(size, 1) else ():
        about_the_factor = named_factor(facts.claiming(factor * facts.true))
        if about_the_factor is None:
            continue
        without = facts.claiming(facts.claimed / factor)
        if answer := next(filter(None, (hypothesis(without) for hypothesis in hypotheses)), None):
            return f"Two mistakes. {answer[0].upper()}{answer[1:]} And besides: {about_the_factor}"
    return None


def is_(factor: float, value: float) -> bool:
    return isclose(factor, value, rel_tol=1e-6)


def divisors(facts: Facts, factor: float) -> Iterator[str]:
    """Forward takes a mean, and backward divides by another number."""
    used = facts.true != 0
    share, reads = constant(facts.true[used]), constant(used.sum(1))
    mean = share is not None and reads is not None and reads > 1 and is_(share * reads, 1)
    n, what = (round(reads), WINDOW) if mean and reads else loss(facts)
    wrong = n / factor
    if n == 1:
        return
    if is_(wrong, 1) and mean:
        yield f"{n} is {what}; it is not divided by it (a sum in place of a mean)"
    elif is_(wrong, n * n):
        yield f"{n} is {what}; it is divided by it once too often"
    elif wrong > 1.5:
        if origin := next((o for size, o in sizes(facts) if is_(wrong, size)), None):
            yield f"it is divided by {round(wrong)} in place of {n}: {round(wrong)} is {origin}, {n} is {what}"
        elif mean and is_(wrong, round(wrong)) and not is_(abs(wrong - n), 1):
            yield f"as if divided by {round(wrong)} in place of {n}, {what}"


def loss(facts: Facts) -> tuple[int, str]:
    """A loss is a mean over all elements (an error for each), or over the batch (an error for each sample)."""
    x, used = facts.x, facts.true != 0
    if facts.y.size != 1 or x.ndim < 2:
        return 1, ""
    share = constant(np.abs(facts.true[used]))
    per_sample = used.sum() == len(x) or (share is None and coupled(facts))
    return (len(x), "the batch size") if per_sample else (x.size, "the number of elements of x")


def coupled(facts: Facts) -> bool:
    """Whether the elements of a sample influence each other's derivative, as by a softmax."""
    h, last = 0.01, facts.x[0].size - 1
    both = facts.x.copy()
    both.flat[[0, last]] += h
    inputs = [both if j == facts.index else a for j, a in enumerate(facts.inputs)]
    alone = [facts.y_with(j, float(facts.x.flat[j]) + h) for j in (0, last)]
    curvature = np.abs(facts.forward(*inputs) - alone[0] - alone[1] + facts.y)
    return bool(np.max(curvature) > 1e-12 + 1e-11 * np.max(np.abs(facts.y)))


def sizes(facts: Facts) -> Iterator[tuple[int, str]]:
    """What people divide by instead: a part of the window, an axis, everything."""
    x, window = facts.x, (facts.true[0] != 0).reshape(facts.x.shape)
    axes = range(x.ndim if facts.y.size > 1 else 0)
    lengths = {a: int(window.any(tuple(k for k in range(x.ndim) if k != a)).sum()) for a in axes}
    for a, n in lengths.items():
        yield n, f"the window's length along axis {a} alone"
    for (a, n), (b, m) in combinations_with_replacement(lengths.items(), 2):
        if min(n, m) > 1:
            yield (
                n * m,
                f"the window's length along axis {a}, squared"
                if a == b
                else f"its extent along axes {a} and {b} alone",
            )
    yield x.size, "the number of all elements of x"
    for a, n in enumerate(x.shape):
        yield n, f"the size of axis {a} of x{' (the batch)' if a == 0 and x.ndim > 1 else ''}"
    yield facts.y.size, "the number of elements of y"


def twos_and_roots(facts: Facts, factor: float) -> Iterator[str]:
    used, power = facts.true != 0, None
    if facts.x.shape == facts.y.shape and facts.x.size > 1 and np.all(facts.y):  # y = x^p: x·dy/dx = p·y
        power = constant(np.diag(facts.true) * facts.x.ravel() / facts.y.ravel(), 1e-6)
    if power is not None and is_(factor, 1 / abs(power)):
        yield (
            f"the exponent {number(power)} is missing as a factor (forgotten; the derivative of x^p is p·x^(p−1), and "
            "of x·x it counts both paths)"
        )
    elif is_(factor, 0.5):
        yield (
            "a factor 2 is missing (of two equal paths, as in x·x, only one is counted, or a square's derivative "
            "lacks its 2)"
        )
    if used.sum(0).max() > 1 and used.sum(1).max() > 1:  # a product
        for name, axis, n in ((name, axis, n) for name, a in facts.others for axis, n in enumerate(a.shape)):
            for root, says in ((0.5, "is missing"), (-0.5, "enters once too often (or √d where d is due)")):
                if n in facts.x.shape and n > 1 and is_(factor, n**root):
                    yield f"1/√{n} {says}, if forward divides by √d: {n} is the size of axis {axis} of {name}"
    if is_(factor, 2):
        yield "a factor 2 is too many (accumulated twice, or 1/2 forgotten)"


def counts(facts: Facts, factor: float) -> Iterator[str]:
    """A number of elements: a sum where a mean is due, or the other way round."""
    for n, what in roles(facts):
        if is_(factor, n):
            yield f"{n} is {what}; it is not divided by it (a sum in place of a mean), or multiplied by it"
        if is_(factor, n**2) and n > 2 and "the size of axes" not in what:
            yield f"it is multiplied by {n} where it must be divided by it; {n} is {what}"
        if is_(factor, 1 / n) and "batch" in what and facts.x.shape[:1] != (n,):
            yield f"averaged over the batch of {n} where it must be summed (or divided by {n} once too often)"
        elif is_(factor, 1 / n):
            yield f"{n} is {what}; it is averaged over them where it must be summed (or not multiplied by it)"


def far_counts(facts: Facts, factor: float) -> Iterator[str]:
    """Its root; or n − 1 for n."""
    for n, what in roles(facts):
        for value, says in (
            (float(n) ** 0.5, f"√{n} is missing as a divisor"),
            (n**-0.5, f"√{n} is divided by once too often"),
            (n / (n - 1), f"it is divided by {n - 1} in place of {n} (n − 1 for n)"),
            ((n - 1) / n, f"it is divided by {n} in place of {n - 1} (n for n − 1)"),
        ):
            if is_(factor, value) and (n > 2 or "√" in says):
                yield f"{says}; {n} is {what}"


def scales(facts: Facts, factor: float) -> Iterator[str]:
    """A constant that forward multiplies by, or an input or output of one element."""
    scale = constant(np.abs(facts.true[facts.true != 0]))
    if scale is not None and not is_(scale, 1):
        constant_ = f"the constant factor {number(scale)} that forward applies"
        for power, says in (
            (-1, f"{constant_} is forgotten (the scale is missing)"),
            (1, f"{constant_} is applied twice"),
            (-2, f"it is divided by the constant factor {number(scale)} where forward multiplies by it"),
        ):
            if is_(factor, scale**power):
                yield says
    for name, a in [*facts.others, ("the output y", facts.y)]:
        for root in (1, -1, 2, -2, 0.5, -0.5) if a.size == 1 and not is_(abs(a.item()), 1) else ():
            if is_(factor, abs(a.item()) ** root):
                missing = "is missing as a factor" if root < 0 else "is a factor too many, or missing as a divisor"
                yield f"{name}{'' if abs(root) == 1 else f' to the power {number(abs(root))}'} {missing}"


def roles(facts: Facts) -> list[tuple[int, str]]:
    """Numbers that a gradient may be divided by, and what they are: axes only where nothing better is known."""
    x, y, used = facts.x, facts.y, facts.true != 0
    reads, reaches = used.sum(1), used.sum(0)
    batched = next((a for a in (y, *facts.inputs) if np.ndim(a) > 1), None)
    reached = "the number of outputs that each element of x reaches (gy is summed over them)"
    known: dict[int, list[str]] = {}
    for value, what in (
        (len(batched) if batched is not None else 0, "the batch size"),
        (constant(reads[reads > 0]), WINDOW),
        (constant(reaches[reaches > 0]), reached),
        (x.size, "the number of elements of x"),
        (y.size, "the number of elements of y"),
    ):
        if value is not None and value > 1:
            known.setdefault(round(value), []).append(what)
    of_axes: dict[int, list[str]] = {}
    for name, array in (("x", x), ("y", y), *facts.others):
        for axes in subsets(array.ndim):
            size = prod(array.shape[a] for a in axes)
            if size > 1 and size not in known:
                which = f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
                of_axes.setdefault(size, []).append(f"the size of {which} of {name}")
    return [(n, " and ".join(what[:2])) for n, what in (*known.items(), *of_axes.items())]
