"""Says at the end how many random cases tests/properties tried."""

from __future__ import annotations

import pytest

NAME = "random cases"


def count(item: pytest.Item, cases: int) -> None:
    item.user_properties.append((NAME, cases))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    cases = sum(value for report in reports for name, value in report.user_properties if name == NAME)
    if cases:
        terminalreporter.write_line(f"tests/properties: {cases:,} random cases")
