"""Tries the mutants of this run and prints who killed whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from string import ascii_lowercase
from threading import Semaphore

import pytest

from mutants.detectors import DETECTORS
from mutants.equivalent import EQUIVALENT
from mutants.mutant import Mutant
from mutants.trial import CAN_FORK, first_kill, mirrored, trial
from mutants.verdict import Outcome

RESULTS = pytest.StashKey[dict[str, Outcome]]()
TRIALS = pytest.StashKey["Trials"]()


class Trials:
    """The trials of a run: one at a time beside the other tests, two once those are done and somebody waits."""

    def __init__(self, mutants: Iterable[Mutant]):
        self.pool, self.turns, self.somebody_waits = ThreadPoolExecutor(2), Semaphore(1), False
        self.outcomes = {mutant.name: self.pool.submit(self.in_turn, mutant) for mutant in mutants}

    def in_turn(self, mutant: Mutant) -> Outcome:
        with self.turns:
            return tried(mutant)

    def outcome(self, mutant: Mutant) -> Outcome:
        if not self.somebody_waits:
            self.somebody_waits = True
            self.turns.release()
        if mutant.name not in self.outcomes:  # a test asks for one that has no test of its own in this run
            self.outcomes[mutant.name] = self.pool.submit(self.in_turn, mutant)
        return self.outcomes[mutant.name].result()


def mutant_of(item: pytest.Item) -> Mutant | None:
    return (
        item.callspec.params.get("mutant") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Last of all: their trials go on while the others run."""
    items.sort(key=lambda item: mutant_of(item) is not None)


def pytest_collection_finish(session: pytest.Session) -> None:
    mutants = [mutant for item in session.items if (mutant := mutant_of(item)) is not None]
    if CAN_FORK and not session.config.getoption("collectonly"):
        session.config.stash[TRIALS] = Trials(mutants)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if TRIALS in session.config.stash:
        session.config.stash[TRIALS].pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest) -> Callable[[Mutant], Outcome]:
    """Gives a mutant's outcome."""
    if not CAN_FORK:
        pytest.skip("each trial is a process forked from a server, which this system does not have")
    trials = request.config.stash[TRIALS]
    results = request.config.stash[RESULTS] = {}

    def outcome(mutant: Mutant) -> Outcome:
        return results.setdefault(mutant.name, trials.outcome(mutant))

    return outcome


def tried(mutant: Mutant) -> Outcome:
    """A mutant that is known to survive need not meet all the other tests too: make_mutants.py sees to that."""
    return trial(mutant, mirrored(mutant.module)) if mutant.name in EQUIVALENT else first_kill(mutant)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With `-m mutants` the kill matrix, as far as the first kills fill it. All of it stands in docs/mutants.md."""
    results = config.stash.get(RESULTS, {})
    if not results or "mutants" not in config.getoption("markexpr"):
        return
    terminalreporter.section("mutants, and the first kind of check that killed each")
    for letter, kind in zip(ascii_lowercase, DETECTORS, strict=False):
        count = sum(kind in outcome.kills for outcome in results.values())
        terminalreporter.write_line(f"{letter}  {kind}: {count}")
    terminalreporter.write_line(ascii_lowercase[: len(DETECTORS)])
    for name, outcome in results.items():
        cells = "".join("●" if kind in outcome.kills else "·" for kind in DETECTORS)
        other = "" if outcome.kills.keys() <= DETECTORS.keys() else f"({', '.join(outcome.kills)}) "
        terminalreporter.write_line(f"{cells} {other if outcome.imports else '(does not import) '}{name}")
