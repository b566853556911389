"""docs/markdown.py: a table as Markdown."""

from docs.markdown import table


def test_a_table():
    text = table(["name", "a | b"], [["relu", 3], ["x", "y|z"]], right=[1])
    assert text.splitlines() == ["| name | a \\| b |", "| --- | ---: |", "| relu | 3 |", "| x | y\\|z |"]
