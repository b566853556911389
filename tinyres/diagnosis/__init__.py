"""What did a hand-written backward do wrong? From a failed gradient check to a sentence that names the mistake.

Forward and backward can be called at will, so nothing needs to be guessed. Two matrices say everything: the true
Jacobian, measured on forward, and the one that backward claims, read off by handing it one unit gy after the other.
A hypothesis ("the kernel is flipped") predicts the wrong matrix from the right one. It is believed only if the
prediction agrees in every element; one file holds each family of them, and the more special come first.
"""

from __future__ import annotations

import numpy as np

from tinyres.diagnosis.altered import wrong_ingredient
from tinyres.diagnosis.calls import answered, changing, complained, no_array
from tinyres.diagnosis.convolution import wrong_convolution
from tinyres.diagnosis.evidence import Evidence as Evidence
from tinyres.diagnosis.evidence import Facts, affordable, same
from tinyres.diagnosis.factor import named_factor, unnamed_factor
from tinyres.diagnosis.linearity import is_linear, not_linear
from tinyres.diagnosis.local import wrong_formula
from tinyres.diagnosis.normal import wrong_normalisation
from tinyres.diagnosis.places import (
    divisor_constant,
    mixed,
    moved,
    overwritten,
    paths,
    scattered,
    transposed_map,
    wrong_input,
)
from tinyres.diagnosis.pooling import wrong_pooling
from tinyres.diagnosis.precision import noisy, rounded
from tinyres.diagnosis.softmax import wrong_softmax
from tinyres.diagnosis.where import at_kinks, only_some

HYPOTHESES = (  # each: what is known of a linear backward -> a sentence, or None
    at_kinks,
    named_factor,
    wrong_softmax,
    wrong_normalisation,
    wrong_pooling,
    overwritten,
    moved,
    wrong_convolution,
    wrong_formula,
    paths,
    mixed,
    divisor_constant,
    wrong_ingredient,
    transposed_map,
    scattered,
    unnamed_factor,
    only_some,
    noisy,
)


def diagnose(evidence: Evidence) -> str | None:
    """A plain sentence that names the mistake, or None where nothing is known for sure."""
    with np.errstate(all="ignore"):
        answer = complained(evidence)
        if answer:
            return capital(answer)
        try:
            answered(evidence, np.zeros(np.shape(evidence.forward(*evidence.inputs))))
            answer = no_array(evidence) or changing(evidence)
        except Exception:
            return None
        if answer:
            return capital(answer)
        if not affordable(evidence):
            return None
        answer = wrong_values(evidence)
        return capital(answer) if answer else None


def wrong_values(evidence: Evidence) -> str | None:
    """backward answers with an array of the right kind, but its numbers are wrong."""

    def backward(gy: np.ndarray, j: int = evidence.index) -> np.ndarray:
        return np.asarray(answered(evidence, gy)[j], dtype=float)

    y_shape = np.shape(evidence.forward(*evidence.inputs))
    facts = Facts(evidence, np.zeros((0, 0)))
    if not all(np.all(np.isfinite(backward(gy))) for gy in facts.gys) or not np.all(np.isfinite(facts.true)):
        return None
    if not any(np.any(backward(gy)) for gy in facts.gys):
        return (
            "The gradient is 0 everywhere: nothing of gy arrives (never written, or masked away)."
            if np.any(facts.true)
            else None
        )
    if not is_linear(backward, facts.gys):
        return rounded(facts, backward) or not_linear(facts, backward)
    units = np.eye(int(np.prod(y_shape, dtype=int)))
    facts.claimed = np.stack([backward(unit.reshape(y_shape)).ravel() for unit in units])
    answer = rounded(facts, backward)
    if answer or same(facts.claimed, facts.true):
        return answer or noisy(facts)
    answer = wrong_input(facts, others(evidence))
    if answer:
        return answer
    return next(filter(None, (hypothesis(facts) for hypothesis in HYPOTHESES)), None)


def others(evidence: Evidence) -> list:
    """For each input: gy -> what backward returns for it."""

    def of(j: int):
        return lambda gy: np.asarray(answered(evidence, gy)[j], dtype=float)

    return [of(j) for j in range(len(evidence.inputs))]


def capital(text: str) -> str:
    return text if text.startswith(("gy ", "x ")) else text[:1].upper() + text[1:]
