"""What `tinyres gradcheck` prints: a row for every input of every op and network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinyres.check.proof.prove import Row

if TYPE_CHECKING:
    from rich.table import Table

CAPTION = """\
×: in how many settings (strides, shapes, training or eval, …).
central: the central difference, h = 1e-6, in float64; what is left is its own error.
complex: the complex step, h = 1e-30; – where forward cannot do complex numbers.
adjoint: ⟨A u, gy⟩ = ⟨u, Aᵀ gy⟩ in float32; – where forward is not linear."""


def print_report(rows: Sequence[Row]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(errors_table(rows))
    wrong = sum(bool(row.failures) for row in rows)
    console.print(f"{len(rows)} gradients, {wrong or 'none'} of them wrong", style="bold")


def errors_table(rows: Sequence[Row]) -> Table:
    """The largest relative errors."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = "Gradients: the largest relative errors"
    table = Table(title=title, title_justify="left", title_style="bold", caption_justify="left", box=SIMPLE_HEAD)
    table.pad_edge = False
    for heading in ("op or network", "input"):
        table.add_column(heading, no_wrap=True)
    for heading in ("×", "central", "complex", "adjoint"):
        table.add_column(heading, justify="right", no_wrap=True)
    previous = None
    for row in rows:
        subject = "" if row.subject == previous else row.subject
        errors = ("wrong", "", "") if row.failures else map(shown, (row.central, row.complex, row.adjoint))
        table.add_row(subject, row.input, str(row.settings), *errors, style="bold red" if row.failures else None)
        previous = row.subject
    table.caption = CAPTION
    return table


def shown(error: float | None) -> str:
    return "–" if error is None else "0" if error == 0 else f"{error:.0e}"


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """{gradients: [a dict for every row], failures: [texts]}"""
    return {
        "gradients": [{key: value for key, value in vars(row).items() if key != "failures"} for row in rows],
        "failures": [text for row in rows for text in row.failures],
    }
