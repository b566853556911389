"""The inputs by the names that forward gives them, in place of "x" and "input 2"."""

from __future__ import annotations

import re

from tinyres.check.diagnosis.evidence import Evidence

PLACEHOLDER = re.compile(r"\binput[ _](\d+)(?!\d)|(?<![A-Za-z_.])x(?![A-Za-z_\u0302])")  # x̂ (with U+0302) is no x
TAKEN = ("y", "gy", "x̂", "mean", "std")  # our own words


def named(answer: str, evidence: Evidence) -> str:
    """answer, with evidence.names filled in where they cannot be mistaken for anything else."""
    own = name_of(evidence, evidence.index) or "x"

    def name(found: re.Match[str]) -> str:
        if found[1] is None or int(found[1]) == evidence.index:
            return own
        other = name_of(evidence, int(found[1]))
        return other if other and other != own else found[0]

    return PLACEHOLDER.sub(name, answer) if evidence.names else answer


def name_of(evidence: Evidence, j: int) -> str | None:
    if j >= len(evidence.names) or evidence.names[j] in TAKEN:
        return None
    return evidence.names[j]
