"""tinyres/models/page.py: docs/models.md is what the models are."""

from pathlib import Path

import pytest

from tinyres import models
from tinyres.models import page

WRITTEN = (Path(__file__).parents[2] / "docs" / "models.md").read_text()


@pytest.mark.parametrize("name", models.names())
def test_a_row_is_what_the_model_is(name, undrawn):
    assert page.row(name) in WRITTEN.splitlines(), "python -m tinyres.models.page docs/models.md makes it anew"


def test_nothing_else_stands_there():
    rows = [line for line in WRITTEN.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == models.names()
    assert page.page(rows) == WRITTEN


def test_usage(capsys):
    assert page.main([]) == 2
    assert "usage:" in capsys.readouterr().err
