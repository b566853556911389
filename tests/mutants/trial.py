"""A trial: a fresh process, in which one module is not what its file says, runs tests of ours on it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mutants.detectors import DETECTORS, detector_of
from mutants.mutant import Mutant, Mutation, rung_of

TESTS = Path(__file__).parent.parent
EVERYTHING = ("ops", "test_autograd.py", "test_gradcheck.py", "optim", "nn", "test_training_parity.py", "kernels", "properties")
SECONDS = {"array": 20, "reference": 20, "cpu": 200}  # of computing, for one test; on the cpu rung it compiles first
PATIENCE = 1200  # seconds for a whole trial

# A server with the libraries imported and nothing of ours: it forks a process for each trial, within 10 ms.
FORK = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else None
if FORK is not None:
    FORK.set_forkserver_preload(["numpy", "pytest", "hypothesis.strategies", "numba", "torch"])  # those that are there


@dataclass
class Outcome:
    """What became of a mutant.

    imports: could tests be run on it at all? If not, no check has shown anything.
    kills: {kind of check: the first of its tests that failed}
    asked: the kinds of check of which at least one test ran.
    """

    imports: bool = True
    kills: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        return bool(self.kills)


def trial(mutant: Mutant, paths: Iterable[str] = EVERYTHING, *, all_detectors: bool = False) -> Outcome:
    """Run the tests in `paths` (below tests/) on that mutant, until one fails, or with all_detectors one of each kind."""
    assert FORK is not None, "trials need fork"
    there_are = [str(TESTS / path) for path in paths if (TESTS / path.partition("::")[0]).exists()]
    receive, send = FORK.Pipe(duplex=False)
    task = mutant.module, mutant.source(), there_are, all_detectors
    process = FORK.Process(target=_run, args=(send, *task), daemon=True)
    process.start()
    send.close()
    try:
        answer = receive.recv() if receive.poll(PATIENCE) else Outcome(kills={"time limit": f"{PATIENCE} s"})
    except EOFError:  # the process is gone
        answer = Outcome(kills={"crash": "the interpreter died"})
    finally:
        process.kill()
        process.join()
        receive.close()
    if not isinstance(answer, Outcome):
        raise RuntimeError(f"the trial of {mutant.name!r} itself went wrong:\n{answer}")
    return answer


def mirrored(module: str) -> list[str]:
    """The tests that mirror a module, in a file of the same name, or compare its kernel: those most likely to see a bug."""
    base = module.rpartition(".")[2]
    files = [str(path.relative_to(TESTS)) for path in sorted(TESTS.rglob(f"test_{base}.py"))]
    if module.startswith("tinyres_kernels."):
        files += ["kernels/test_reference.py", "kernels/test_rungs.py"]
        files += [str(path.relative_to(TESTS)) for path in sorted(TESTS.glob(f"kernels/test_cpu_{base}.py"))]
    return files


# ---- inside the new process ------------------------------------------------------------------------------------------


def _run(send: Any, *task: Any) -> None:
    try:
        send.send(_verdict(*task))
    except BaseException:  # whatever it is, it is no fault of the mutant's
        send.send(traceback.format_exc())


def _verdict(module: str, source: str, paths: list[str], all_detectors: bool) -> Outcome:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    rung = rung_of(module)
    os.environ["TINYRES_KERNELS"] = rung
    _shrink_nothing()
    sys.meta_path.insert(0, Mutation(module, source))
    verdict = Verdict(rung, all_detectors)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder  # or the kernels compiled from the file would serve
        try:
            __import__(module)
        except Exception:
            return Outcome(imports=False)
        options = "-q", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"
        code = pytest.main([*options, *paths], plugins=[verdict])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        raise RuntimeError(f"pytest ended with {code!r}")
    return verdict.outcome


def _shrink_nothing() -> None:
    """A failing example is enough; nobody will read the smallest."""
    from hypothesis import Phase, settings

    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")


class TooLong(BaseException):
    """No Exception: hypothesis would catch that, and try again."""


class Verdict:
    """A pytest plugin that notes which kinds of check have failed, and spares what can show nothing new."""

    def __init__(self, rung: str, all_detectors: bool):
        self.rung, self.all_detectors = rung, all_detectors
        self.outcome = Outcome()
        signal.signal(signal.SIGPROF, _too_long)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcome.imports = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        order = list(DETECTORS)
        items[:] = [item for item in items if self._is_of_use(item)]
        items.sort(key=lambda item: order.index(_detector(item.nodeid) or ""))

    def _is_of_use(self, item: pytest.Item) -> bool:
        """Has it a column, and does it not compile kernels for a mutant that is on another rung?"""
        compiles = "cpu" in item.nodeid
        return _detector(item.nodeid) is not None and compiles == (self.rung == "cpu")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        detector = _detector(item.nodeid)
        if detector in self.outcome.kills:
            return True  # done with: its column is filled
        if detector not in self.outcome.asked:
            self.outcome.asked.append(str(detector))
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        signal.setitimer(signal.ITIMER_PROF, SECONDS[self.rung])
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.when != "teardown":
            self.outcome.kills.setdefault(str(_detector(report.nodeid)), report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        if self.outcome.killed and not self.all_detectors:
            self.session.shouldstop = "killed"

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session


def _detector(test: str) -> str | None:
    return detector_of(test.removeprefix("tests/"))


def _too_long(*_: Any) -> None:
    raise TooLong
