"""Tries the mutants of this run, two at a time, and prints who killed whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from string import ascii_lowercase

import pytest

from mutants.detectors import DETECTORS
from mutants.equivalent import EQUIVALENT
from mutants.mutant import Mutant
from mutants.trial import CAN_FORK, first_kill, mirrored, trial
from mutants.verdict import Outcome

RESULTS = pytest.StashKey[dict[str, Outcome]]()


@pytest.fixture(scope="session")
def outcome_of(request: pytest.FixtureRequest) -> Iterator[Callable[[Mutant], Outcome]]:
    """Gives a mutant's outcome. Trials begin at once for all the mutants of this run."""
    if not CAN_FORK:
        pytest.skip("each trial is a process forked from a server, which this system does not have")
    results = request.config.stash[RESULTS] = {}
    mutants = [
        item.callspec.params["mutant"]
        for item in request.session.items
        if hasattr(item, "callspec") and "mutant" in item.callspec.params
    ]
    with ThreadPoolExecutor(2) as pool:
        trials = {mutant.name: pool.submit(tried, mutant) for mutant in mutants}

        def outcome(mutant: Mutant) -> Outcome:
            if mutant.name not in trials:
                trials[mutant.name] = pool.submit(tried, mutant)
            return results.setdefault(mutant.name, trials[mutant.name].result())

        yield outcome
        pool.shutdown(cancel_futures=True)


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
