"""docs/make_models.py: docs/models.md gives the true figures of every model, and nothing else."""

from pathlib import Path

import pytest

from docs import make_models, markdown
from tinyres import models

WRITTEN = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", models.names())
def test_a_row_gives_the_models_figures(name, undrawn):
    row = markdown.row(make_models.cells(name))
    assert row in WRITTEN.splitlines(), "`python -m docs.make_models` writes the page anew"


def test_the_page_has_nothing_else():
    rows = [line for line in WRITTEN.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == models.names()
    assert make_models.page([tuple(row.strip("| ").split(" | ")) for row in rows]) == WRITTEN
