"""The pytest plugin of a trial: it records which kinds of check failed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from types import FrameType

import pytest

from mutants.detectors import DETECTORS, detector_of

SECONDS = 20  # of computing, for one test
SECONDS_TO_COMPILE = 200


@dataclass
class Outcome:
    """What became of a mutant.

    imports: could tests be run on it at all? If not, no check has shown anything.
    kills: {kind of check: the first of its tests that failed}
    reached: {file: the tests during which code of that file ran}, if this was asked for
    """

    imports: bool = True
    kills: dict[str, str] = field(default_factory=dict)
    reached: dict[str, set[str]] = field(default_factory=dict)

    @property
    def killed(self) -> bool:
        return bool(self.kills)


class TooLong(BaseException):
    """Not an Exception: hypothesis would catch that, and try again."""


class Verdict:
    """Ends the run at the first test that fails; or with to_the_end, runs tests of each kind until one of them fails.

    only: these tests. word: those with it in their names. reach: note which files each test runs code of.
    """

    def __init__(
        self,
        rung: str,
        to_the_end: bool = False,
        only: Collection[str] | None = None,
        word: str = "",
        reach: bool = False,
    ):
        self.rung, self.to_the_end, self.only, self.word, self.reach = rung, to_the_end, only, word, reach
        self.outcome = Outcome()

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        signal.signal(signal.SIGPROF, _too_long)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcome.imports = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests of a known kind, sorted by kind. Only a mutant on the cpu rung is worth compiling for.

        Tests on an emulated GPU are left out: they take long, and no code that they run is mutated.
        """
        kinds = list(DETECTORS)
        compiles = self.rung == "cpu"
        items[:] = [item for item in items if kind(item.nodeid) in kinds and ("cpu" in item.nodeid) == compiles]
        if self.rung == "reference":  # its loops would take an hour, with or without a bug
            items[:] = [item for item in items if "test_training_parity.py" not in item.nodeid]
        items[:] = [item for item in items if "gpu" not in item.nodeid and "cuda" not in item.nodeid]
        items[:] = [item for item in items if self.word in item.nodeid]
        items[:] = [item for item in items if self.only is None or item.nodeid in self.only]
        items.sort(key=lambda item: (kind(item.nodeid) == "torch", kinds.index(kind(item.nodeid))))  # torch is slow

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        return True if kind(item.nodeid) in self.outcome.kills else None  # True: done, nothing more to see

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        files = set[str]()
        signal.setitimer(signal.ITIMER_PROF, SECONDS_TO_COMPILE if self.rung == "cpu" or self.reach else SECONDS)
        if self.reach:
            sys.settrace(lambda frame, event, argument: files.add(frame.f_code.co_filename))
        try:
            return (yield)
        finally:
            if self.reach:
                sys.settrace(None)
            signal.setitimer(signal.ITIMER_PROF, 0)
            for file in files:
                self.outcome.reached.setdefault(file, set()).add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when != "teardown":
            self.outcome.kills.setdefault(kind(report.nodeid), report.nodeid)
            self.session.shouldstop = False if self.to_the_end else "killed"


def kind(nodeid: str) -> str:
    return detector_of(nodeid.removeprefix("tests/")) or "none"


def _too_long(signum: int, frame: FrameType | None) -> None:
    raise TooLong
