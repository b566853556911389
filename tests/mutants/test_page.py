"""docs/mutants.md shows the mutants that there are, and is as make_mutants.py writes it."""

import pytest

from mutants.drawn import draw
from mutants.page import GROUPS, PAGE, mutants, parse, render

HINT = "run: python tests/make_mutants.py --missing"


@pytest.fixture
def page():
    if not PAGE.exists():
        pytest.skip("the page is part of the repository, not of an installed tinyres")
    return PAGE.read_text(encoding="utf-8")


def test_it_shows_exactly_the_mutants_there_are(page):
    assert parse(page).keys() == {mutant.name for mutant in mutants()}, HINT


def test_it_is_what_the_command_writes(page):
    """Without the trials: its own rows, rendered anew, with all sums."""
    assert render(parse(page)) == page, HINT


def test_all_are_killed(page):
    assert [name for name, kills in parse(page).items() if kills == []] == []


def test_enough_of_the_drawn_ones_import(page):
    results = parse(page)
    assert sum(results[mutant.name] is not None for mutant in draw()) >= 40


def test_results_come_back_from_a_page():
    results = {mutant.name: ["torch"] for group in GROUPS.values() for mutant in group}
    first, second, *_ = results
    results[first], results[second] = ["stored values", "training parity"], None
    assert parse(render(results)) == results
