"""Every mutant drawn by machine is killed, or is explained."""

import pytest

from mutants.drawn import draw, sites
from mutants.equivalent import EQUIVALENT

DRAWN = draw()


@pytest.mark.parametrize("mutant", [pytest.param(m, id=m.name) for m in DRAWN])
def test_is_killed_or_explained(mutant, outcome_of):
    """One that does not import shows nothing, and does not count; enough of the others are there, see below."""
    outcome = outcome_of(mutant)
    if mutant.name in EQUIVALENT:
        assert not outcome.killed, f"killed, so the explanation in equivalent.py is wrong: {outcome.kills}"
    elif outcome.imports:
        assert outcome.killed, "it survives: write the test that fails on it, or explain it in equivalent.py"


def test_enough_of_them_import(outcome_of):
    assert sum(outcome_of(mutant).imports for mutant in DRAWN) >= 40


def test_only_drawn_mutants_are_explained():
    assert EQUIVALENT.keys() <= {mutant.name for mutant in DRAWN}


# ---- the machine that draws ------------------------------------------------------------------------------------------


def changes(code):
    """All that the machine makes of a piece of code."""
    return [site.new for site in sites("a.module", code)]


@pytest.mark.parametrize(
    ("code", "mutants"),
    [
        ("f(a + b)", ["f(a - b)", "a - b"]),
        ("x = 1", ["pass", "2"]),
    ],
)
def test_what_becomes_of(code, mutants):
    assert sorted(changes(f"{code}\n")) == sorted(mutants)
