"""The gradient is the true one times a number: which number, and where would it come from?"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tinyres.check.diagnosis.divisors import wrong_divisor
from tinyres.check.diagnosis.evidence import Facts, constant, number, same, subsets


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
    if facts.others and facts.x.shape == facts.y.shape and same(facts.true, np.eye(facts.x.size)):
        whole = "each input gets the whole of it, it is not shared out among them" if abs(factor) < 1 else "no more"
        return f"{start}{sign}: the local derivative is 1, so gy arrives as it is: {whole}."
    first = (scales,) if facts.x.shape == facts.y.shape else ()  # else a number of elements is the better guess
    for family in (wrong_divisor, inverted, *first, roots_and_twos, counts, scales, far_fetched):
        origins = list(family(facts, abs(factor)))
        if family is roots_and_twos and len(origins) < 2:
            origins += list(counts(facts, abs(factor)))
        if origins:
            return f"{start}{sign}: {', or '.join(origins)}."
    return None


def unnamed_factor(facts: Facts) -> str | None:
    factor = constant_factor(facts)
    if factor is None or np.count_nonzero(facts.true) < 3:  # one number is a multiple of any other
        return None
    sign = " The sign is wrong (flipped) as well." if factor < 0 else ""
    return f"The gradient is {number(factor)} times the true one, everywhere: a constant factor is wrong.{sign}"


def is_(factor: float, value: float) -> bool:
    return abs(factor - value) <= 1e-6 * abs(value)


def roots_and_twos(facts: Facts, factor: float) -> Iterator[str]:
    power = exponent(facts)
    if power is not None and is_(factor, 1 / abs(power)):
        yield (
            f"the exponent {number(power)} is missing as a factor (forgotten; the derivative of x^p is p·x^(p−1), "
            "and of x·x it counts both paths)"
        )
    elif is_(factor, 0.5):
        yield (
            "a factor 2 is missing (of two equal paths, as in x·x, only one is counted, or a square's derivative "
            "lacks its 2)"
        )
    for name, a in facts.others:
        for axis, length in enumerate(a.shape):
            if length not in facts.x.shape or length < 2 or not is_product(facts):
                continue
            for power, says in ((0.5, "is missing"), (-0.5, "enters once too often (or √d where d is due)")):
                if is_(factor, length**power):
                    yield f"1/√{length} {says}, if forward divides by √d: {length} is the size of axis {axis} of {name}"
    if is_(factor, 2):
        yield "a factor 2 is too many (accumulated twice, or 1/2 forgotten)"


def is_product(facts: Facts) -> bool:
    """Outputs depend on several x each, and x on several outputs."""
    used = facts.true != 0
    return bool(used.sum(0).max() > 1 and used.sum(1).max() > 1)


def exponent(facts: Facts) -> float | None:
    """p, if y = x^p."""
    if facts.x.shape != facts.y.shape or facts.x.size < 2 or not np.all(facts.y):
        return None
    return constant(np.diag(facts.true) * facts.x.ravel() / facts.y.ravel(), 1e-6)


def inverted(facts: Facts, factor: float) -> Iterator[str]:
    """Multiplied by a number of elements where a mean divides by it."""
    for count, what in roles(facts):
        if count > 2 and not what.startswith("the size of axes") and is_(factor, count**2):
            yield f"it is multiplied by {count} where it must be divided by it; {count} is {what}"


def counts(facts: Facts, factor: float) -> Iterator[str]:
    """A number of elements: a sum where a mean is due, or the other way round."""
    for count, what in roles(facts):
        if is_(factor, count):
            yield f"{count} is {what}; it is not divided by it (a sum stands where a mean is due), or multiplied by it"
        if is_(factor, 1 / count):
            if "batch" in what and facts.x.shape[:1] != (count,):
                yield (
                    f"averaged over the batch of {count} where it must be summed (or divided by {count} once too often)"
                )
            else:
                yield f"{count} is {what}; it is averaged over them where it must be summed (or not multiplied by it)"


def scales(facts: Facts, factor: float) -> Iterator[str]:
    """A constant that forward multiplies by, or an input or output of one element."""
    scale = constant(np.abs(facts.true[facts.true != 0]))
    if scale is not None and abs(scale - 1) > 1e-6:
        if is_(factor, 1 / scale):
            yield f"the constant factor {number(scale)} that forward applies is forgotten (the scale is missing)"
        if is_(factor, scale):
            yield f"the constant factor {number(scale)} that forward applies is applied twice"
        if is_(factor, scale**-2):
            yield f"it is divided by the constant factor {number(scale)} where forward multiplies by it"
    for name, a in [*facts.others, ("the output y", facts.y)]:
        if a.size == 1 and abs(abs(a.item()) - 1) > 1e-6:
            for power in (1, -1, 2, -2, 0.5, -0.5):
                if is_(factor, abs(a.item()) ** power):
                    missing = "is missing as a factor" if power < 0 else "is a factor too many, or missing as a divisor"
                    times = "" if abs(power) == 1 else f" to the power {number(abs(power))}"
                    yield f"{name}{times} {missing}"


def far_fetched(facts: Facts, factor: float) -> Iterator[str]:
    """Roots of numbers of elements, and n − 1 for n."""
    for count, what in roles(facts):
        if is_(factor, count**-0.5) or is_(factor, count**0.5):
            yield (
                f"√{count} {'is missing as a divisor' if factor > 1 else 'is divided by once too often'}; "
                f"{count} is {what}"
            )
        if count > 2 and is_(factor, count / (count - 1)):
            yield f"it is divided by {count - 1} in place of {count} (n − 1 for n); {count} is {what}"
        if count > 2 and is_(factor, (count - 1) / count):
            yield f"it is divided by {count} in place of {count - 1} (n for n − 1); {count} is {what}"


def roles(facts: Facts) -> list[tuple[int, str]]:
    """Numbers that a gradient may be divided by, and what they are: axes only where nothing better is known."""
    x, y = facts.x, facts.y
    used = facts.true != 0
    reads, reaches = used.sum(1), used.sum(0)
    better: list[tuple[float | None, str]] = []
    batched = next((a for a in (y, *facts.inputs) if np.ndim(a) > 1), None)
    if batched is not None:
        better.append((batched.shape[0], "the batch size"))
    better.append(
        (constant(reads[reads > 0]), "the number of elements of x behind each output (the window, or the group)")
    )
    better.append(
        (
            constant(reaches[reaches > 0]),
            "the number of outputs that each element of x reaches (gy is summed over them)",
        )
    )
    better.append((x.size, "the number of elements of x"))
    better.append((y.size, "the number of elements of y"))
    known: dict[int, list[str]] = {}
    for value, what in better:
        if value is not None and value > 1:
            known.setdefault(round(value), []).append(what)
    axes_known: dict[int, list[str]] = {}
    for name, array in (("x", x), ("y", y), *facts.others):
        for axes in subsets(array.ndim):
            size = prod(array.shape[a] for a in axes)
            if size > 1 and size not in known:
                which = f"axis {axes[0]}" if len(axes) == 1 else f"axes {axes}"
                axes_known.setdefault(size, []).append(f"the size of {which} of {name}")
    return [(n, " and ".join(what[:2])) for n, what in (*known.items(), *axes_known.items())]
