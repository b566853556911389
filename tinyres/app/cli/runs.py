"""`tinyres runs`: compares runs in a table."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyres.app.cli.arguments import Commands, add_command, one_of
from tinyres.app.training import RunError
from tinyres.app.training.overview import Overview, is_lab, overviews
from tinyres.app.training.progress import clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

EXAMPLES = """\
examples:
  tinyres runs                        the runs in runs/
  tinyres runs --sort test
  tinyres runs runs/resnet20 runs/five other-runs --picture runs.png

A folder is a run or contains runs. A folder made with --seeds shows the mean
and the standard deviation, and its runs follow it. `tinyres train --resume`
continues a stopped run. If a run is damaged, a text below the table says why.
"""
LAST = float("inf")  # the rank of an unknown figure
SORTS: dict[str, Callable[[Overview], Any]] = {
    "name": lambda run: natural(run.name),
    "model": lambda run: natural(run.model or "~"),
    "data": lambda run: natural(run.data or "~"),
    "epochs": lambda run: -run.epochs,
    "validation": lambda run: LAST if run.validation_error is None else run.validation_error,
    "test": lambda run: LAST if run.test_error is None else run.test_error,
    "speed": lambda run: -(run.images_per_second or 0),
    "time": lambda run: run.seconds,
    "state": lambda run: run.state,
}


def add_to(commands: Commands) -> None:
    command = add_command(commands, "runs", "[DIR …] [options]", run, "Compare runs.", EXAMPLES)
    command.add_argument(
        "folders", metavar="DIR", type=Path, nargs="*", help="runs, or folders of runs (default: runs)"
    )
    sorts = ", ".join(SORTS)
    command.add_argument(
        "--sort", metavar="BY", type=one_of("order", SORTS), default="name", help=f"{sorts} (default: name)"
    )
    command.add_argument("--picture", metavar="PNG", type=Path, help="draw validation error and training loss")
    command.add_argument("--json", action="store_true", help="print everything as JSON, with every epoch's figures")


def run(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    folders = arguments.folders or [Path("runs")]
    found = sorted(overviews(folders), key=SORTS[arguments.sort])
    labs = [inside for folder in folders for inside in (folder, *sorted(folder.iterdir())) if is_lab(inside)]
    if not found:
        raise RunError(f"{', '.join(map(str, folders))}: no runs found; `tinyres train` makes one")
    if arguments.json:
        print(json.dumps([one.as_json() for one in found]))
    else:
        width = shutil.get_terminal_size((200, 24)).columns  # wide if the output is no terminal but a file or a pipe
        show_runs(found, labs, Console(width=width, highlight=False))
    if arguments.picture:
        draw(found, arguments.picture)
    return 0


def show_runs(found: Sequence[Overview], labs: Sequence[Path], console: Console) -> None:
    """A table with a row for each run, or two lines if the console is too narrow."""
    wide = table(found)
    fits = console.measure(wide, options=console.options.update(width=10**4)).maximum <= console.width
    console.print(wide if fits else table(found, narrow=True))
    for one in found:
        for problem in one.problems:
            console.print(f"damaged: {problem}", markup=False, soft_wrap=True)
    if labs:
        console.print(f"left out, because they are labs: {', '.join(map(str, labs))}", markup=False, soft_wrap=True)


def table(found: Sequence[Overview], narrow: bool = False) -> Table:
    """narrow: the model, data, recipe and seed are below the run's name."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if narrow else 2, 0, 0))
    for head in ["run\n model data recipe seed"] if narrow else ["run", "model", "data", "recipe", "seed"]:
        made.add_column(head, overflow="fold")
    for head in ("epochs", "valid.\nerror %", "test\nerror %", "images\n/s", "time"):
        made.add_column(head, justify="right", no_wrap=True)
    made.add_column("state", no_wrap=True)
    for one in found:
        about = (one.model or "?", one.data or "?", one.recipe or "?", seeds(one))
        identity = [f"{one.name}\n {' '.join(about)}"] if narrow else [one.name, *about]
        made.add_row(*map(Text, [*identity, *figures(one), one.state]), style="bold" if one.runs else None)
    return made


def figures(one: Overview) -> list[str]:
    spread = "" if one.test_error_std is None else f" ± {percent(one.test_error_std)}"
    speed = "" if one.images_per_second is None else f"{one.images_per_second:,.0f}"
    errors = [percent(one.validation_error), percent(one.test_error) + spread]
    return [f"{one.epochs}/{one.of or '?'}", *errors, speed, clock(one.seconds)]


def percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def seeds(one: Overview) -> str:
    if one.seed is None:
        return "?"
    return f"{one.seed}…{one.seed + one.runs - 1}" if one.runs else str(one.seed)


def natural(text: str) -> list[tuple[str, int]]:
    """A sort key that puts resnet8 before resnet20."""
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", text)]


def draw(found: Sequence[Overview], path: Path) -> None:
    from tinyres.look.viz.run_curves import draw_run_curves

    curves = [(one.name, one.metrics) for one in found if one.metrics]
    if not curves:
        raise RunError(f"{path}: not drawn, because no run has finished an epoch")
    draw_run_curves(curves, path)
