"""What did a hand-written backward do wrong? From a failed gradient check to a sentence that names the mistake.

Forward and backward can be called at will, so little needs to be guessed. Two matrices say everything: the true
Jacobian, measured on forward, and the one that backward claims, read off by handing it one unit gy after the other.
A mistake is a change: of a known formula (gradients.py and terms.py, by way of mutants.py), of an array on the way
(changes.py), of a factor (factor.py), of a local derivative (local.py), of who gets what (pooling.py, ways.py). It
is believed only if it turns the true gradient into the claimed one in every element. More special ones are tried first.
"""

from __future__ import annotations

from math import prod

import numpy as np

from tinyres.check.diagnosis.calls import answered, changing, complained, no_array
from tinyres.check.diagnosis.changes import blended, moved, multiplied, wrong_ingredient
from tinyres.check.diagnosis.convolution import wrong_convolution
from tinyres.check.diagnosis.evidence import Evidence as Evidence
from tinyres.check.diagnosis.evidence import Facts, affordable, first_of, named, same
from tinyres.check.diagnosis.factor import besides_a_factor, named_factor, unnamed_factor
from tinyres.check.diagnosis.gradients import known_gradients
from tinyres.check.diagnosis.linearity import Backward, is_linear, not_linear
from tinyres.check.diagnosis.local import wrong_formula
from tinyres.check.diagnosis.places import scattered, wrong_input
from tinyres.check.diagnosis.pooling import wrong_pooling
from tinyres.check.diagnosis.precision import noisy, rounded
from tinyres.check.diagnosis.terms import wrong_term
from tinyres.check.diagnosis.ways import elementwise, held_constant, overwritten, paths, transposed_map, wrong_axes
from tinyres.check.diagnosis.where import at_kinks, factor_of_each, only_some, unmasked, wrong_part

REARRANGED = (overwritten, wrong_axes, moved, wrong_convolution)
MISTAKES = (  # each: what is known of a linear backward -> a sentence, or None
    named_factor,
    lambda facts: wrong_term(facts, known_gradients(facts)),
    wrong_pooling,
    *REARRANGED,
    paths,
    wrong_formula,
    blended,
    held_constant,
    wrong_ingredient,
    transposed_map,
    multiplied,
    scattered,
)
HYPOTHESES = (
    at_kinks,
    *MISTAKES,
    unnamed_factor,
    lambda facts: wrong_part(facts, MISTAKES),
    lambda facts: besides_a_factor(facts, (*REARRANGED, wrong_ingredient, transposed_map)),
    elementwise,
    factor_of_each,
    unmasked,
    only_some,
    noisy,
)

TOO_LARGE = "Too large to say more: check with a smaller input, and the mistake can perhaps be named."


def diagnose(evidence: Evidence) -> str | None:
    """A plain sentence that names the mistake, or None where nothing is known for sure."""
    with np.errstate(all="ignore"):
        answer = complained(evidence)
        if answer is None and answers(evidence):
            answer = no_array(evidence) or changing(evidence)
            if answer is None:
                answer = wrong_values(evidence) if affordable(evidence) else TOO_LARGE
    if answer is None:
        return None
    answer = named(answer, evidence)
    if answer.startswith("gy "):
        return answer
    return answer[0].upper() + answer[1:]


def answers(evidence: Evidence) -> bool:
    """Whether backward can be called at all."""
    try:
        answered(evidence, np.zeros(np.shape(evidence.forward(*evidence.inputs))))
    except Exception:  # of a kind that `complained` does not know
        return False
    return True


def wrong_values(evidence: Evidence) -> str | None:
    """backward answers with an array of the right kind, but with wrong numbers."""
    backward = gradient_of(evidence, evidence.index)
    facts = Facts(evidence)
    if not np.all(np.isfinite(facts.true)) or not all(np.all(np.isfinite(backward(gy))) for gy in facts.gys):
        return None
    if not np.any(facts.true):
        return None
    if not any(np.any(backward(gy)) for gy in facts.gys):
        return "The gradient is 0 everywhere: nothing of gy arrives (never written, or masked away)."
    if answer := rounded(facts, backward):
        return answer
    if not is_linear(backward, facts.gys):
        return not_linear(facts, backward)
    y_shape = facts.y.shape
    facts.claimed = np.stack([backward(unit.reshape(y_shape)).ravel() for unit in np.eye(prod(y_shape))])
    if same(facts.claimed, facts.true):
        return noisy(facts)

    def backward_of(j: int) -> Backward:
        return gradient_of(evidence, j)

    return wrong_input(facts, backward_of) or first_of(HYPOTHESES, facts) or wrong_input(facts, backward_of, plain=True)


def gradient_of(evidence: Evidence, j: int) -> Backward:
    """gy -> what backward returns for input j."""
    return lambda gy: np.asarray(answered(evidence, gy)[j], dtype=float)
