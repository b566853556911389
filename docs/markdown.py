"""Markdown tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence


def table(head: Sequence[object], rows: Iterable[Sequence[object]], right: Collection[int] = ()) -> str:
    """The rows below the head. right: the numbers of the columns that are aligned right, counted from 0."""
    rule = ["---:" if column in right else "---" for column in range(len(head))]
    return "\n".join(map(row, [head, rule, *rows]))


def row(cells: Sequence[object]) -> str:
    escaped = [str(cell).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"
