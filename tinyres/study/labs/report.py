"""Finished labs as one page, made of the results beside it: `python -m tinyres.study.labs.report docs/labs.md`.

    docs/labs.md                    the page
    docs/labs/NAME.json             what the page is made of: the results.json of a run
    docs/pictures/lab-NAME.png      drawn anew from the same

With a folder of runs, RUNS/NAME for each lab, their results are taken over first:
`python -m tinyres.study.labs.report docs/labs.md RUNS`. Every section is what the lab itself says: its claim, its
table, its picture, its verdict. Nothing is written by hand.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyres.app.training.files import write_atomically
from tinyres.app.training.progress import clock
from tinyres.study import labs
from tinyres.study.labs.lab import Lab, picture

HEAD = """\
# The experiments

What is claimed of residual networks, tried here. `python -m tinyres.study.labs.report docs/labs.md` makes this page and
its pictures from the files in `docs/labs`, which are what `tinyres lab NAME` found; no figure is entered by hand. A
verdict's threshold stood at the top of the lab's file before it ran.

Where a command says `--data cifar10`, the images are those of CIFAR-10 in a copy that was recompressed as JPEG: compare
the errors with each other, and with published ones only from afar. With `--half`, every 2×2 pixels became one. The
times are of one thread; most of these runs had to share two cores with others, which the processor's time does not
count and the clock does. Labs that train the same nets shared them (`--nets`); in each, their whole training counts.
"""
PLACES = {"data_dir": "DIR", "nets": "NETS"}  # instead of folders of the machine that it ran on
NOT_WHAT = ("threads",)  # settings that change nothing about the result


def take_over(runs: Path, results: Path) -> None:
    """RUNS/NAME/results.json becomes results/NAME.json, for every lab that has one."""
    results.mkdir(parents=True, exist_ok=True)
    for name in labs.NAMES:
        path = runs / name / "results.json"
        if path.exists():
            report = json.loads(path.read_text())
            settings = report["settings"].items()
            report["settings"] = {key: PLACES.get(key, value) if value else value for key, value in settings}
            lines = [f"{text(key)}: {text(value)}" for key, value in report.items()]
            write_atomically(results / f"{name}.json", ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(results: Path) -> dict[str, dict[str, Any]]:
    """{name: what its file says}, for every lab that has one."""
    paths = {name: results / f"{name}.json" for name in labs.NAMES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def page(reports: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    summary = []
    for name, report in reports.items():
        lab = labs.find(name)
        reproduced = "yes" if lab.verdict(report["results"]).reproduced else "**no**"
        summary.append([f"[{name}](#{name})", lab.TITLE, reproduced, clock(report["processor_seconds"])])
    sections = [section(labs.find(name), report) for name, report in reports.items()]
    head = ("lab", "what", "reproduced", "processor time")
    return "\n".join([HEAD, markdown_table(head, summary), "", *sections])


def section(lab: Lab, report: dict[str, Any]) -> str:
    name, (first, _, claim) = report["lab"], (lab.__doc__ or "").partition("\n")
    times = f"{clock(report['processor_seconds'])} of processor time, {clock(report['seconds'])} on the clock"
    return "\n".join(
        [
            f"## {name}",
            "",
            first,
            "",
            f"```text\n{claim.strip()}\n```",
            "",
            f"`{command(report)}`, {times}, {report['machine']}:",
            "",
            markdown_table(*lab.table(report["results"])),
            "",
            f"![{lab.TITLE}](pictures/lab-{name}.png)",
            "",
            f"**{lab.verdict(report['results'])}**",
            "",
        ]
    )


def command(report: dict[str, Any]) -> str:
    """That does it again."""
    words = ["tinyres", "lab", report["lab"]]
    for key, value in report["settings"].items():
        if value not in (None, False) and key not in NOT_WHAT:
            words += [f"--{key.replace('_', '-')}", *([] if value is True else [str(value)])]
    return " ".join(words)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(value).replace("|", "\\|") for value in line) + " |" for line in lines)


def fingerprint(report: dict[str, Any]) -> str:
    """Of the results; it stands in the picture's file, to say what the picture was drawn from."""
    return hashlib.sha256(text(report["results"]).encode()).hexdigest()


def main(arguments: Sequence[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: python -m tinyres.study.labs.report PAGE.md [RUNS]", file=sys.stderr)
        return 2
    target, *runs = map(Path, arguments)
    results, pictures = target.with_suffix(""), target.parent / "pictures"
    for folder in runs:
        take_over(folder, results)
    reports = read(results)
    pictures.mkdir(parents=True, exist_ok=True)
    for name, report in reports.items():
        drawn_from = {"Description": f"results {fingerprint(report)}"}
        picture(labs.find(name), report["results"]).savefig(pictures / f"lab-{name}.png", metadata=drawn_from)
    write_atomically(target, page(reports).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
