"""Counts the faults that tests try, and with `pytest -m faults` says at the end how many were survived.

@pytest.mark.faults("bit flip")     the kind. A test is one fault, or with the fixture as many as it says:
def test_…(fault):
    for bit in bits:
        with fault():               one tried; survived if nothing is raised inside
            …
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

NAME = "faults"
TRIED = pytest.StashKey[list[bool]]()  # of a test: for each fault, was it survived?


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[None]]:
    tried = request.node.stash[TRIED] = []

    @contextmanager
    def one() -> Iterator[None]:
        tried.append(False)
        yield
        tried[-1] = True

    return one


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Hang the numbers on the report: a test may have run in another process (pytest-xdist)."""
    report = yield
    mark = item.get_closest_marker(NAME)
    if mark and (call.when == "call" or report.failed) and not report.skipped:
        tried = item.stash.get(TRIED, None) or [report.passed]
        survived = sum(tried) if report.passed else min(sum(tried), len(tried) - 1)
        report.user_properties.append((NAME, [mark.args[0], len(tried), survived]))
    return report


def counted(reports: Iterable[pytest.TestReport]) -> dict[str, list[int]]:
    """{kind: [tried, survived]}"""
    counts: dict[str, list[int]] = {}
    for report in reports:
        for name, value in report.user_properties:
            if name == NAME:
                kind, tried, survived = value
                before = counts.get(kind, [0, 0])
                counts[kind] = [before[0] + tried, before[1] + survived]
    return counts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for end in ("passed", "failed", "error") for report in terminalreporter.getreports(end)]
    counts = counted(report for report in reports if isinstance(report, pytest.TestReport))
    if not counts or NAME not in config.getoption("markexpr"):
        return
    terminalreporter.section("faults")
    width = max(map(len, counts))
    terminalreporter.write_line(f"{'kind':{width}}  {'tried':>7}  {'survived':>8}")
    for kind, (tried, survived) in sorted(counts.items()):
        lost = "" if tried == survived else "  LOST"
        terminalreporter.write_line(f"{kind:{width}}  {tried:7,}  {survived:8,}{lost}")
    tried, survived = (sum(count[i] for count in counts.values()) for i in (0, 1))
    terminalreporter.write_line(f"{'all':{width}}  {tried:7,}  {survived:8,}")
