"""Every case, in every input: by a central difference, by a complex step, and where it is linear as an adjoint."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from tinyres.check.adjoint import adjoint_check
from tinyres.check.gradcheck import GradientError, gradcheck
from tinyres.check.proof.case import Case
from tinyres.check.proof.nets import net_cases
from tinyres.check.proof.ops import op_cases


@dataclass
class Row:
    """The largest relative errors of one input of one op or network, over all its settings.

    complex: None where forward cannot do complex numbers. adjoint: None where it is not linear; in float32.
    """

    subject: str
    input: str
    settings: int = 0
    central: float = 0.0
    complex: float | None = None
    adjoint: float | None = None
    failures: list[str] = field(default_factory=list)


def all_cases() -> list[Case]:
    return [*op_cases(), *net_cases()]


def prove(cases: Iterable[Case]) -> list[Row]:
    """A row for every input of every subject, one subject after the other."""
    rows: dict[tuple[str, str], Row] = {}
    for case in cases:
        for name in case.inputs:
            row = rows.setdefault((case.subject, name), Row(case.subject, name))
            row.settings += 1
            try:
                prove_input(case, name, row)
            except GradientError as error:
                row.failures.append(f"{case}: {error}")
    subjects = list(dict.fromkeys(subject for subject, _ in rows))
    return sorted(rows.values(), key=lambda row: subjects.index(row.subject))


def prove_input(case: Case, name: str, row: Row) -> None:
    """GradientError if something is wrong; else the errors, into row."""
    row.central = max(row.central, gradcheck(case.fn, case.tensors(name)))
    with suppress(TypeError):  # forward cannot do complex numbers
        row.complex = max(row.complex or 0.0, gradcheck(case.fn, case.tensors(name), method="complex"))
    if name in case.linear:
        row.adjoint = max(row.adjoint or 0.0, adjoint_check(case.fn, case.tensors(name, "float32")))
