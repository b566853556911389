"""Tries the mutants of this run and prints which check killed which."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mutants.mutant import Mutant
from mutants.trial import CAN_FORK, first_kill
from mutants.verdict import Outcome

PROPERTY = "mutant, imports, kinds of check that killed it"  # under this a test's report carries its outcome


@pytest.fixture
def outcome(mutant: Mutant, record_property: Callable[[str, object], None]) -> Outcome:
    """What became of the mutant that this test is about."""
    if not CAN_FORK:
        pytest.skip("each trial is a process forked from a server, which this system does not have")
    result = first_kill(mutant)
    record_property(PROPERTY, [mutant.name, result.imports, list(result.kills)])
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The first kind of check that killed each mutant. All kinds that do are in docs/mutants.md."""
    reports = [report for result in ("passed", "failed") for report in terminalreporter.getreports(result)]
    outcomes = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if outcomes:
        terminalreporter.section("mutants, and the first kind of check that killed each")
    for name, imports, kills in outcomes:
        killers = (", ".join(kills) or "survives") if imports else "does not import"
        terminalreporter.write_line(f"{killers:16} {name}")
