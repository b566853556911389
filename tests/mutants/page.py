"""docs/mutants.md: the kill matrix, written from results and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mutants.detectors import DETECTORS
from mutants.drawn import draw
from mutants.equivalent import EQUIVALENT
from mutants.mutant import Mutant
from mutants.planted_compiled import COMPILED
from mutants.planted_engine import ENGINE, OPTIM
from mutants.planted_kernels import KERNELS
from mutants.planted_ops import OPS
from mutants.planted_training import DATA, TRAIN

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
GROUPS: dict[str, Sequence[Mutant]] = {
    "Written by hand: ops": OPS,
    "Written by hand: kernels": KERNELS,
    "Written by hand: the engine, the checker, running statistics": ENGINE,
    "Written by hand: optimisers and schedules": OPTIM,
    "Written by hand: batches": DATA,
    "Written by hand: the training loop": TRAIN,
    "Written by hand: compiled kernels": COMPILED,
    "Drawn by machine": draw(),
}
MARK, NOT_IMPORTED = "●", "does not import"
# A mutant's row: the kinds of check that killed it, or None if it does not import.
Results = Mapping[str, Sequence[str] | None]

INTRODUCTION = """# The kill matrix

Can the tests fail? Each row of these tables is a bug that was planted in the sources, each column is a kind of check,
and ● means that at least one test of that kind failed because of the bug. `python tests/make_mutants.py` writes this
page, and `tests/mutants/__init__.py` explains how to plant another bug. Each bug was tried on every test that runs code
of the changed file, with two exceptions: for the loops of reference/, on the test files of the same names; and for a
compiled kernel, which every trial compiles again, on the test files that the mutant names. A trial with `--first` ends
at the first kill, so in a row with a single ● other kinds may also have noticed the bug. Such a row still counts under
"alone".
"""


def mutants() -> list[Mutant]:
    return [mutant for group in GROUPS.values() for mutant in group]


def render(results: Results) -> str:
    """The page. Mutants without results are left out."""
    parts = [INTRODUCTION, sums(results)]
    for title, group in GROUPS.items():
        rows = [row(mutant.name, results[mutant.name]) for mutant in group if mutant.name in results]
        parts += [f"## {title}\n", heading(), *rows, ""]
    if EQUIVALENT:
        parts += ["## Survivors, and why no test can kill them\n"]
        parts += [f"- {code(name)}  \n  {reason}" for name, reason in EQUIVALENT.items()]
    return "\n".join(parts).rstrip() + "\n"


def sums(results: Results) -> str:
    """How many each kind of check kills, and how many it alone kills."""
    rows = [kills for kills in results.values() if kills]
    imported = [kills for kills in results.values() if kills is not None]
    lines = [
        f"{len(imported)} mutants, {len(rows)} killed, {len(imported) - len(rows)} equivalent to the original; "
        f"{len(results) - len(imported)} more could not be imported and do not count.\n",
        "| kind of check | kills | alone |",
        "| --- | ---: | ---: |",
    ]
    for kind in DETECTORS:
        kills, alone = sum(kind in row for row in rows), sum(list(row) == [kind] for row in rows)
        lines.append(f"| {kind} | {kills} | {alone} |")
    return "\n".join(lines) + "\n"


def heading() -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (["", *DETECTORS], ["---", *[":-:"] * len(DETECTORS)])
    )


def row(name: str, kills: Sequence[str] | None) -> str:
    cells = [NOT_IMPORTED] if kills is None else [MARK if kind in kills else "" for kind in DETECTORS]
    return f"| {' | '.join([code(name), *cells])} |"


def code(name: str) -> str:
    return "`" + name.replace("|", "\\|") + "`"


def parse(page: str) -> dict[str, list[str] | None]:
    """The results that a page was rendered from, as far as its mutants are still there."""
    results: dict[str, list[str] | None] = {}
    rows = {code(mutant.name): mutant.name for mutant in mutants()}
    for line in page.splitlines():
        start = line.removeprefix("| ").rpartition("` |")[0] + "`"
        if start in rows:
            cells = [cell.strip() for cell in line.removeprefix(f"| {start} |").split("|")]
            killers = [kind for kind, cell in zip(DETECTORS, cells, strict=False) if cell == MARK]
            results[rows[start]] = None if cells[0] == NOT_IMPORTED else killers
    return results
