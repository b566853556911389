"""docs/mutants.md: the kill matrix, written from results and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from docs.markdown import row, table
from mutants.detectors import DETECTORS
from mutants.drawn import draw
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
"alone"."""


def mutants() -> list[Mutant]:
    return [mutant for group in GROUPS.values() for mutant in group]


def render(results: Results) -> str:
    """The page. Mutants without results are left out."""
    parts = [INTRODUCTION, sums(results)]
    for title, group in GROUPS.items():
        rows = [cells(mutant.name, results[mutant.name]) for mutant in group if mutant.name in results]
        parts += [f"## {title}", table(["", *DETECTORS], rows)]
    return "\n\n".join(parts) + "\n"


def sums(results: Results) -> str:
    """How many each kind of check kills, and how many it alone kills."""
    killed = [list(kills) for kills in results.values() if kills]
    imported = [kills for kills in results.values() if kills is not None]
    text = (
        f"{len(imported)} mutants, {len(killed)} killed; "
        f"{len(results) - len(imported)} more could not be imported and do not count."
    )
    counts = [(kind, sum(kind in kills for kills in killed), killed.count([kind])) for kind in DETECTORS]
    return text + "\n\n" + table(["kind of check", "kills", "alone"], counts, right=(1, 2))


def cells(name: str, kills: Sequence[str] | None) -> list[str]:
    """A mutant's row."""
    marks = [NOT_IMPORTED] if kills is None else [MARK if kind in kills else "" for kind in DETECTORS]
    return [f"`{name}`", *marks]


def parse(page: str) -> dict[str, list[str] | None]:
    """The results that a page was rendered from, as far as its mutants are still there."""
    results: dict[str, list[str] | None] = {}
    names = {row([f"`{mutant.name}`"]): mutant.name for mutant in mutants()}
    for line in page.splitlines():
        start, end, rest = line.rpartition("` |")
        if name := names.get(start + end):
            marks = [mark.strip() for mark in rest.split("|")]
            killers = [kind for kind, mark in zip(DETECTORS, marks, strict=False) if mark == MARK]
            results[name] = None if marks[0] == NOT_IMPORTED else killers
    return results
