"""docs/make_cluster.py: the tables of docs/cluster.md follow from the formulas and from docs/allreduce.json."""

import json
import re
import shlex
from pathlib import Path

import pytest

from docs.make_cluster import filled_in, tables
from tinyres.app.cli import parser

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "cluster.md").read_text(encoding="utf-8")


def test_the_tables_are_what_the_code_gives():
    measured = json.loads((DOCS / "allreduce.json").read_text())
    assert filled_in(PAGE, tables(measured)) == PAGE


def test_a_page_without_its_marks():
    with pytest.raises(ValueError, match="expected <!-- a --> once, got it 0 times"):
        filled_in("no marks", {"a": "text"})


def test_commands_exist():
    commands = [line for line in PAGE.splitlines() if line.startswith("mpiexec ") and " tinyres " in line]
    assert len(commands) >= 3
    for command in commands:
        _, _, arguments = command.partition(" tinyres ")
        assert parser().parse_args(shlex.split(arguments))


def test_links_lead_somewhere():
    for path in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (DOCS / path).is_file()
