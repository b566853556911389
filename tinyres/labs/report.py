"""Finished labs as one page: `python -m tinyres.labs.report RUNS docs/labs.md`, RUNS holding a folder for each lab.

Every section is what the lab itself says: its claim, its table, its picture, its verdict. Nothing is written by hand.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyres import labs
from tinyres.labs.lab import Lab
from tinyres.training.progress import clock

HEAD = """\
# The experiments

What is claimed of residual networks, tried here. This page is made by `python -m tinyres.labs.report RUNS docs/labs.md`
from the folders that `tinyres lab NAME` writes; no figure is entered by hand. A verdict's threshold stood at the top of
the lab's file before it ran.
"""


def page(runs: Path, pictures: Path) -> str:
    """Markdown of all labs that have a folder of their name in runs; their pictures are copied to `pictures`."""
    reports = {name: json.loads(path.read_text()) for name in labs.NAMES if (path := results_of(runs, name)).exists()}
    summary = [
        [f"[{name}](#{name})", labs.find(name).TITLE, "yes" if report["reproduced"] else "**no**"]
        for name, report in reports.items()
    ]
    sections = [section(labs.find(name), report, runs, pictures) for name, report in reports.items()]
    return "\n".join([HEAD, markdown_table(("lab", "what", "reproduced"), summary), "", *sections])


def results_of(runs: Path, name: str) -> Path:
    return runs / name / "results.json"


def section(lab: Lab, report: dict[str, Any], runs: Path, pictures: Path) -> str:
    name = report["lab"]
    pictures.mkdir(parents=True, exist_ok=True)
    picture = pictures / f"lab-{name}.png"
    shutil.copyfile(runs / name / "picture.png", picture)
    chosen = {
        key: value for key, value in report["settings"].items() if value not in (None, False) and key != "threads"
    }
    if "data_dir" in chosen:
        chosen["data_dir"] = "DIR"
    flags = " ".join(
        f"--{key.replace('_', '-')}" + ("" if value is True else f" {value}") for key, value in chosen.items()
    )
    claim = (lab.__doc__ or "").split("\n", 1)[1].strip()
    return "\n".join(
        [
            f"## {name}",
            "",
            f"{(lab.__doc__ or '').splitlines()[0]}",
            "",
            f"```text\n{claim}\n```",
            "",
            f"`tinyres lab {name} {flags}`, {clock(report['seconds'])} on {report['machine']}:",
            "",
            markdown_table(*lab.table(report["results"])),
            "",
            f"![{lab.TITLE}]({picture.parent.name}/{picture.name})",
            "",
            f"**{report['verdict']}**",
            "",
        ]
    )


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(value).replace("|", "\\|") for value in line) + " |" for line in lines)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m tinyres.labs.report RUNS PAGE.md", file=sys.stderr)
        return 2
    runs, target = map(Path, arguments)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(runs, target.parent / "pictures"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
