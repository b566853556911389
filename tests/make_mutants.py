"""Writes docs/mutants.md: tries every mutant on all kinds of check, which takes a core most of an hour.

    python tests/make_mutants.py [--missing] [--first]

--missing: only those that the page does not have yet, such as one just written.
--first: end each trial at the first kill, as the test suite does: minutes instead of an hour, and rows of one ●.
"""

from __future__ import annotations

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent


def results_of(mutant: Mutant, first: bool) -> list[str] | None:
    """The kinds of check that kill it, or the first to do so; None if it does not import."""
    if first:
        outcome = first_kill(mutant)
    elif isinstance(mutant, Compiled):
        outcome = trial(mutant, ["kernels"], word=mutant.seen_by, to_the_end=True)
    elif rung_of(mutant.module) == "reference":  # loops: all tests would take too long
        outcome = trial(mutant, mirrored(mutant.module), to_the_end=True)
    else:
        tests = reach()[str(importlib.util.find_spec(mutant.module).origin)]
        files = {test.partition("::")[0].removeprefix("tests/") for test in tests}
        outcome = trial(mutant, files, only=tests, to_the_end=True)
    return list(outcome.kills) if outcome.imports else None


@cache
def reach() -> dict[str, set[str]]:
    """{file: the tests that run code of it}, found by running all of them without any bug; which all must survive."""
    outcome = trial(Unchanged("tinyres_kernels.array.add"), reach=True, to_the_end=True)
    if outcome.killed or not outcome.imports:
        raise SystemExit(f"without any bug these fail: {outcome.kills}")
    return outcome.reached


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS.parent), str(TESTS.parent / "kernels")]
    from mutants.mutant import Compiled, Mutant, Unchanged, rung_of
    from mutants.page import PAGE, mutants, parse, render
    from mutants.trial import first_kill, mirrored, trial

    done = parse(PAGE.read_text(encoding="utf-8")) if "--missing" in sys.argv[1:] else {}
    missing = [mutant for mutant in mutants() if mutant.name not in done]
    first = "--first" in sys.argv[1:]
    if not first:
        reach()
    with ThreadPoolExecutor(2) as pool:
        trials = {pool.submit(results_of, mutant, first): mutant.name for mutant in missing}
        for k, future in enumerate(as_completed(trials), 1):
            done[trials[future]] = future.result()
            print(f"{k} of {len(missing)}: {', '.join(future.result() or []) or 'survives':60} {trials[future]}")
            PAGE.write_text(render(done), encoding="utf-8")
