"""`tinyres lab`: runs an experiment, or lists them all."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinyres.app.cli.arguments import Commands, add_command, data_set, one_of, positive
from tinyres.app.cli.output import announce_compiling, progress_console, show
from tinyres.study import labs
from tinyres.study.labs.workbench import LabSettings

EXAMPLES = """\
examples:
  tinyres lab --list
  tinyres lab chain
  tinyres lab degradation --data cifar10 --out runs/degradation
  tinyres lab degradation --data cifar10 --full --seeds 5

Every lab writes results.json and picture.png into its folder and says whether
the claim was reproduced; the condition is at the top of the lab's file. A lab
that was stopped continues when you start it again with the same settings.
"""


def add_to(commands: Commands) -> None:
    text = "Run an experiment: does a claim about residual networks hold?"
    command = add_command(commands, "lab", "NAME [options]", run, text, EXAMPLES)
    command.add_argument("name", metavar="NAME", nargs="?", type=one_of("lab", labs.NAMES), help="one of --list")
    command.add_argument("--list", action="store_true", help="list all labs, and how long they take")
    command.add_argument("--full", action="store_true", help="the large run instead of one that takes minutes")
    command.add_argument("--out", metavar="DIR", type=Path, help="default: runs/lab-NAME")
    command.add_argument("--data", metavar="NAME", type=data_set, default="shapes", help="default: shapes")
    command.add_argument("--data-dir", metavar="DIR", help="the folder with CIFAR (default: it is downloaded once)")
    command.add_argument("--seed", metavar="S", type=int, default=0, help="default: 0")
    command.add_argument("--seeds", metavar="N", type=positive, help="repeat what depends on chance N times")
    command.add_argument(
        "--epochs", metavar="N", type=positive, help="epochs of training (default: the lab's own number)"
    )
    command.add_argument("--images", metavar="N", type=positive, help="training images (default: the lab's own number)")
    command.add_argument("--half", action="store_true", help="pictures of half the size: four times as fast")
    command.add_argument("--nets", metavar="DIR", help="keep trained nets in DIR, to share them between labs")
    command.add_argument("--threads", metavar="N", type=positive, help="compute threads (default: one for every core)")
    command.add_argument("--quiet", action="store_true", help="print only the result")
    command.add_argument("--json", action="store_true", help="print the result as JSON, and all else to stderr")


def run(arguments: argparse.Namespace) -> int:
    if arguments.list:
        print(lab_list())
        return 0
    if arguments.name is None:
        arguments.parser.error("expected the name of a lab, or --list")
    names = ("full", "data", "data_dir", "seed", "seeds", "epochs", "images", "half", "nets", "threads")
    settings = LabSettings(**{name: getattr(arguments, name) for name in names})
    console = progress_console(arguments)
    announce_compiling()
    bench = labs.Workbench(arguments.name, settings, arguments.out or Path("runs", f"lab-{arguments.name}"), console)
    report = labs.perform(labs.find(arguments.name), bench)
    show({"folder": str(bench.folder), **report}, arguments, lab_text)
    return 0


def lab_list() -> str:
    lines = [f"{name:<14} {labs.find(name).MINUTES:>5.1f} min   {labs.find(name).TITLE}" for name in labs.NAMES]
    return "\n".join([*lines, "", "The time is that of the default run on two cores; --full takes hours for some."])


def lab_text(report: dict[str, Any]) -> str:
    head, rows = labs.find(report["lab"]).table(report["results"])
    lines = [[str(value) for value in row] for row in (head, *rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    table = [
        "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    table.insert(1, "─" * len(max(table, key=len)))
    return "\n".join([*table, "", report["verdict"], f"the picture and the results are in {report['folder']}"])
