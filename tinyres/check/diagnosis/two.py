"""Two mistakes at once: a constant factor is wrong, and something else too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tinyres.check.diagnosis.evidence import Facts
from tinyres.check.diagnosis.factor import named_factor


def besides_a_factor(facts: Facts, hypotheses: Iterable[Callable[[Facts], str | None]]) -> str | None:
    """Most mistakes move values about and keep their size; so the factor can be told from the sizes alone."""
    size = float(np.linalg.norm(facts.claimed) / np.linalg.norm(facts.true))
    for factor in (size, -size):
        if not size or abs(factor - 1) < 1e-6:
            continue
        alone = with_claim(facts, factor * facts.true)
        about_the_factor = named_factor(alone)
        if about_the_factor is None:
            continue
        without = with_claim(facts, facts.claimed / factor)
        answer = next(filter(None, (hypothesis(without) for hypothesis in hypotheses)), None)
        if answer:
            return f"Two mistakes. {answer[0].upper()}{answer[1:]} And besides: {about_the_factor}"
    return None


def with_claim(facts: Facts, claimed: np.ndarray) -> Facts:
    other = Facts(facts.evidence)
    other.true, other.claimed = facts.true, claimed
    return other
