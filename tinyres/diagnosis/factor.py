"""The gradient is the true one times a number: which number, and where would it come from?"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tinyres.diagnosis.evidence import Facts, constant, number, same, subsets


def constant_factor(facts: Facts) -> float | None:
    true, claimed = facts.true, facts.claimed
    energy = np.vdot(true, true)
    factor = float(np.vdot(true, claimed) / energy) if energy else 0.0
    return factor if factor and same(claimed, factor * true) else None


def named_factor(facts: Facts) -> str | None:
    """A factor whose origin can be told."""
    factor = constant_factor(facts)
    if factor is None:
        return None
    start = f"The gradient is {number(factor)} times the true one, everywhere"
    if abs(factor + 1) < 1e-6:
        return f"{start}: the sign is wrong (a minus is missing, or one too many)."
    sign = "; the sign is wrong (flipped) as well" if factor < 0 else ""
    origins = list(explanations(facts, abs(factor)))
    if origins:
        return f"{start}{sign}: {', or '.join(origins[:3])}."
    return None


def unnamed_factor(facts: Facts) -> str | None:
    factor = constant_factor(facts)
    if factor is None:
        return None
    sign = " The sign is wrong (flipped) as well." if factor < 0 else ""
    return f"The gradient is {number(factor)} times the true one, everywhere: a constant factor is wrong.{sign}"


def explanations(facts: Facts, factor: float) -> Iterator[str]:
    """Where a positive factor may come from, the likeliest first."""

    def is_(value: float) -> bool:
        return abs(factor - value) <= 1e-6 * abs(value)

    values = np.abs(facts.true[facts.true != 0])
    scale = constant(values)
    power = exponent(facts)
    if power is not None and is_(1 / abs(power)):
        yield f"the exponent {number(power)} is forgotten as a factor (d x^p/dx = p·x^(p−1))"
    for count, what in counts(facts):
        if is_(count):
            yield f"{number(factor)} is {what}: not divided by it (a sum where a mean is due), or multiplied by it"
        if is_(1 / count):
            yield (
                f"{number(count)} is {what}: divided by it once too often (averaged where a sum is due), "
                "or a factor left out"
            )
        if count > 1 and (is_(count**-0.5) or is_(count**0.5)):
            root = "multiplied" if factor > 1 else "divided"
            yield f"{root} by √{count}, and {count} is {what}"
        if count > 2 and (is_(count / (count - 1)) or is_((count - 1) / count)):
            yield f"divided by {count} in place of {count - 1} or the other way round, n and n − 1: {count} is {what}"
    if scale is not None and abs(scale - 1) > 1e-6:
        number_ = number(scale)
        if is_(1 / scale):
            yield f"the constant factor {number_} that forward applies is forgotten (scale missing)"
        if is_(scale):
            yield f"the constant factor {number_} that forward applies is applied twice"
        if is_(scale**-2):
            yield f"it is divided by the constant factor {number_} that forward multiplies by"
    if is_(0.5):
        yield "a factor 2 is missing: of two equal paths (as in x·x, or a square's derivative 2x) only one is counted"
    if is_(2):
        yield "a factor 2 too many: something is counted or accumulated twice"
    for name, a in [*facts.others, ("the output y", facts.y)]:
        if a.size == 1 and abs(abs(a.item()) - 1) > 1e-6:
            for power, what in ((1, "multiplied by it"), (-1, "divided by it"), (2, "by its square"), (-2, "over its square")):
                if is_(abs(a.item()) ** power):
                    yield f"that is the value of {name} ({what}) once too often or once too little"


def exponent(facts: Facts) -> float | None:
    """p, if y = x^p."""
    if facts.x.shape != facts.y.shape or not np.all(facts.y):
        return None
    return constant(np.diag(facts.true) * facts.x.ravel() / facts.y.ravel(), 1e-6) if facts.x.size > 1 else None


def counts(facts: Facts) -> Iterator[tuple[int, str]]:
    """Numbers that a gradient is divided by: lengths of axes, sizes of windows; each number once."""
    seen: set[int] = {0, 1}
    used = facts.true != 0
    reads, reaches = used.sum(1), used.sum(0)
    x, y = facts.x, facts.y
    named: list[tuple[int, str]] = []
    for what, array in (("x", x), ("the output", y)):
        if array.ndim:
            batch = ", the batch size" if array.ndim > 1 else ""
            named.append((array.shape[0], f"the length of axis 0 of {what}{batch}"))
        named.append((array.size, f"the number of elements of {what}"))
    window = constant(reads[reads > 0])
    if window is not None and window > 1:
        named.append((round(window), "the number of elements of x that one output reads (the window, or the group)"))
    fan = constant(reaches[reaches > 0])
    if fan is not None and fan > 1:
        named.append((round(fan), "the number of outputs that one element of x reaches (over which gy is summed)"))
    for what, array in (("x", x), ("the output", y), *facts.others):
        for axes in subsets(array.ndim):
            named.append((prod(array.shape[a] for a in axes), f"the size of axes {axes} of {what}"))
    meanings: dict[int, list[str]] = {}
    for count, what in named:
        if count not in seen:
            meanings.setdefault(count, []).append(what)
    for count, what_ in meanings.items():
        yield count, " and ".join(what_[:3])
