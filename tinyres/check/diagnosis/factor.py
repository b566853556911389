"""A gradient, or one term of it, is the right one times a number: which number, and where would it come from?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations_with_replacement, product
from math import isclose, prod

import numpy as np

from tinyres.check.diagnosis.evidence import Facts, Hypothesis, constant, first_of, joined, number, same, subsets

Sizes = Mapping[int, str]  # a number of elements -> what it is
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
    if facts.others and facts.x.shape == facts.y.shape and same(facts.true, np.eye(facts.x.size)):
        whole = "each input gets the whole of it, it is not shared out among them" if abs(factor) < 1 else "no more"
        return f"{start}: the local derivative is 1, so gy arrives as it is: {whole}."
    due, instead = divisors(facts)
    origins = [f"it {words}" for words in by_counts(abs(factor), due, instead)] or [
        *of_constants(facts, abs(factor)),
        *(f"it {words}" for words in by_counts(abs(factor), sizes(facts), {})),
    ]
    return f"{start}: {', or '.join(origins[:2])}." if origins else None


def unnamed_factor(facts: Facts) -> str | None:
    factor = constant_factor(facts)
    if factor is None or np.count_nonzero(facts.true) < 3:  # one number is a multiple of any other
        return None
    sign = " The sign is wrong (flipped) as well." if factor < 0 else ""
    return f"The gradient is {number(factor)} times the true one, everywhere: a constant factor is wrong.{sign}"


def besides_a_factor(facts: Facts, hypotheses: Iterable[Hypothesis]) -> str | None:
    """Two mistakes. Most others move values about and keep their size; so the factor can be told from the sizes."""
    size = float(np.linalg.norm(facts.claimed) / np.linalg.norm(facts.true))
    for factor in (size, -size) if size and not is_(size, 1) else ():
        about_the_factor = named_factor(facts.claiming(factor * facts.true))
        if about_the_factor is None:
            continue
        without = facts.claiming(facts.claimed / factor)
        if answer := first_of(hypotheses, without):
            return f"Two mistakes. {answer[0].upper()}{answer[1:]} And besides: {about_the_factor}"
    return None


def is_(factor: float, value: float) -> bool:
    return isclose(factor, value, rel_tol=1e-6)


# ---- a number of elements --------------------------------------------------------------------------------------------


Rules = tuple[tuple[Callable[[int], float], str], ...]  # the factor that it makes, by a number n; what was done
LIKELY: Rules = (
    (lambda n: n, "is not divided by {n} (a sum in place of a mean)"),
    (lambda n: 1 / n, "is divided by {n} once too often (averaged where it must be summed)"),
    (lambda n: n * n, "is multiplied by {n} where it must be divided by it"),
)
RARE: Rules = (
    (lambda n: n / (n - 1), "is divided by n − 1 in place of n = {n}"),
    (lambda n: (n - 1) / n, "is divided by n = {n} in place of n − 1"),
    (lambda n: n**0.5, "is not divided by √{n}"),
    (lambda n: n**-0.5, "is divided by √{n} once too often"),
)


def by_counts(factor: float, counts: Sizes, instead: Sizes) -> Iterator[str]:
    """What was done with one of the counts, if that makes this factor. instead: what may be divided by in its place."""

    def by(rules: Rules) -> Iterator[str]:
        for (value, words), (n, what) in product(rules, counts.items()):
            if is_(factor, value(n)):
                yield f"{words.format(n=n)}; {n} is {what}"

    yield from by(LIKELY)
    for (n, what), (m, other) in product(counts.items(), instead.items()):
        if is_(factor, n / m) and m != 1 and (other or m < n):
            yield f"is divided by {m} in place of {n}; {n} is {what}" + (f", {m} is {other}" if other else "")
    yield from by(RARE)


def sizes(facts: Facts) -> dict[int, str]:
    """Numbers that a gradient may be divided by."""
    x, y, used = facts.x, facts.y, facts.true != 0
    batched = next((a for a in (y, *facts.inputs) if np.ndim(a) > 1), x.ravel()[:1])
    reads, reaches = (constant(counts[counts > 0]) or 0 for counts in (used.sum(1), used.sum(0)))
    known = [
        (len(batched), "the batch size"),
        (x.size, "the number of elements of x"),
        (round(reads), WINDOW),
        (round(reaches), "the number of outputs that each element of x reaches (gy is summed over them)"),
        (y.size, "the number of elements of y"),
    ]
    for name, a in (("x", x), ("y", y), *facts.others):
        for axes in subsets(a.ndim):
            known.append((prod(a.shape[k] for k in axes), f"the size of axis {joined(axes)} of {name}"))
    first: dict[int, str] = {}
    for n, what in known:
        first.setdefault(n, what)
    return {n: what for n, what in first.items() if n > 1}


def divisors(facts: Facts) -> tuple[Sizes, Sizes]:
    """What forward divides by if it takes a mean, or is a loss; and what people divide by instead."""
    x, used, known = facts.x, facts.true != 0, sizes(facts)
    share, reads = constant(facts.true[used]), constant(used.sum(1))
    if share is not None and reads is not None and reads > 1 and is_(share * reads, 1):
        window = used[0].reshape(x.shape)
        lengths = {a: int(window.any(tuple(k for k in range(x.ndim) if k != a)).sum()) for a in range(x.ndim)}
        areas = {
            n * m: f"its length along axis {a}, squared" if a == b else f"its extent along axes {a} and {b} alone"
            for (a, n), (b, m) in combinations_with_replacement(lengths.items(), 2)
        }
        alone = {n: f"its length along axis {a} alone" for a, n in lengths.items()}
        return {round(reads): WINDOW}, dict.fromkeys(range(2, round(reads)), "") | known | areas | alone
    if facts.y.size == 1 and x.ndim > 1:
        return {n: known[n] for n in (x.size, len(x)) if n in known}, known
    return {}, {}


# ---- a constant ------------------------------------------------------------------------------------------------------


def of_constants(facts: Facts, factor: float) -> Iterator[str]:
    """A constant that forward multiplies by, an exponent, a 2, or an input or output of one element."""
    power = None
    if facts.x.shape == facts.y.shape and facts.x.size > 1 and np.all(facts.y):  # y = x^p: x·dy/dx = p·y
        power = constant(np.diag(facts.true) * facts.x.ravel() / facts.y.ravel(), 1e-6)
    scale = constant(np.abs(facts.true[facts.true != 0]))
    named = {round(abs(a.item()), 9): name for name, a in (*facts.others, ("the output y", facts.y)) if a.size == 1}
    named |= {2.0: "a factor 2 (of two equal paths, as in x·x, or of a square)"}
    named |= {round(scale, 9): f"the scale {number(scale)} that forward multiplies by"} if scale else {}
    named |= (
        {round(abs(power), 9): f"the exponent {number(power)} (in the derivative p·x^(p−1) of x^p)"} if power else {}
    )
    for value, name in reversed(named.items()):
        for exponent, mistake in (
            (-1, "{} is missing (forgotten)"),
            (1, "{} is a factor too many, or missing as a divisor"),
            (-2, "it is divided by {}, where it must be multiplied by it"),
            (2, "it is multiplied by {}, where it must be divided by it"),
            (-0.5, "the root of {} is missing"),
            (0.5, "the root of {} is a factor too many"),
        ):
            if value and not is_(value, 1) and is_(factor, value**exponent) and (value != 2 or abs(exponent) == 1):
                yield mistake.format(name)
