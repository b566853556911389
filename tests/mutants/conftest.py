"""Tries the mutants of this run and prints which check killed which."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_lowercase

import pytest

from mutants.detectors import DETECTORS
from mutants.equivalent import EQUIVALENT
from mutants.mutant import Mutant
from mutants.trial import CAN_FORK, first_kill, mirrored, trial
from mutants.verdict import Outcome

PROPERTY = "mutant, imports, kinds of check that killed it"  # under this a test's report carries its outcome


@pytest.fixture
def outcome(mutant: Mutant, record_property: Callable[[str, object], None]) -> Outcome:
    """What became of the mutant that this test is about."""
    if not CAN_FORK:
        pytest.skip("each trial is a process forked from a server, which this system does not have")
    # A mutant that is known to survive need not meet all the other tests too: make_mutants.py sees to that.
    result = trial(mutant, mirrored(mutant.module)) if mutant.name in EQUIVALENT else first_kill(mutant)
    record_property(PROPERTY, [mutant.name, result.imports, list(result.kills)])
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With `-m mutants` the kill matrix, as far as the first kills fill it. All of it is in docs/mutants.md."""
    reports = [report for result in ("passed", "failed") for report in terminalreporter.getreports(result)]
    outcomes = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if not outcomes or "mutants" not in config.getoption("markexpr"):
        return
    terminalreporter.section("mutants, and the first kind of check that killed each")
    for letter, kind in zip(ascii_lowercase, DETECTORS, strict=False):
        terminalreporter.write_line(f"{letter}  {kind}: {sum(kind in kills for _, _, kills in outcomes)}")
    terminalreporter.write_line(ascii_lowercase[: len(DETECTORS)])
    for name, imports, kills in outcomes:
        cells = "".join("●" if kind in kills else "·" for kind in DETECTORS)
        other = "".join(f"({kind}) " for kind in kills if kind not in DETECTORS)
        terminalreporter.write_line(f"{cells} {other if imports else '(does not import) '}{name}")
