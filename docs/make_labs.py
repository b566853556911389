"""The page of the finished labs: `python -m docs.make_labs` writes it.

    docs/labs.md                    the page
    docs/labs/NAME.json             the results of lab NAME, which the page shows: the results.json of a run
    docs/pictures/lab-NAME.png      the lab's picture, drawn from the same results

`python -m docs.make_labs RUNS` first copies the results of new runs, RUNS/NAME/results.json, into docs/labs. Each
section is made by the lab itself: its claim, its table, its picture, its verdict. Nothing is written by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from docs.markdown import table
from tinyres.app.training.files import write_atomically
from tinyres.app.training.progress import clock
from tinyres.study import labs
from tinyres.study.labs.lab import Lab, picture

DOCS = Path(__file__).parent
HEAD = """\
# The experiments

These experiments test claims about residual networks. `python -m docs.make_labs` writes this page and its pictures from
the files in `docs/labs`, which are the results of `tinyres lab NAME`; no figure is entered by hand. The threshold of
every verdict was in the lab's file before the lab ran.

Where a command says `--data cifar10`, the images are those of CIFAR-10 in a copy that was recompressed as JPEG: errors
can be compared with each other, but only roughly with published ones. With `--half`, every 2×2 pixels became one. The
times are of one thread. Most of these runs shared two cores with others; the clock counts that, the processor time does
not. Labs that train the same nets shared them (`--nets`); each lab counts their whole training.
"""
PLACEHOLDERS = {"data_dir": "DIR", "nets": "NETS"}  # for folders of the machine that it ran on
NOT_IN_COMMAND = ("threads",)  # settings that do not change the result


def take_over(runs: Path, results: Path) -> None:
    """Copy RUNS/NAME/results.json to results/NAME.json, for every lab that has one."""
    results.mkdir(parents=True, exist_ok=True)
    for name in labs.NAMES:
        path = runs / name / "results.json"
        if path.exists():
            report = json.loads(path.read_text())
            settings = report["settings"].items()
            report["settings"] = {key: PLACEHOLDERS.get(key, value) if value else value for key, value in settings}
            lines = [f"{text(key)}: {text(value)}" for key, value in report.items()]
            write_atomically(results / f"{name}.json", ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(results: Path) -> dict[str, dict[str, Any]]:
    """{name: the content of its file}, for every lab that has one."""
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
    return "\n".join([HEAD, table(head, summary), "", *sections])


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
            table(*lab.table(report["results"])),
            "",
            f"![{lab.TITLE}](pictures/lab-{name}.png)",
            "",
            f"**{lab.verdict(report['results'])}**",
            "",
        ]
    )


def command(report: dict[str, Any]) -> str:
    """The command that repeats the run."""
    words = ["tinyres", "lab", report["lab"]]
    for key, value in report["settings"].items():
        if value not in (None, False) and key not in NOT_IN_COMMAND:
            words += [f"--{key.replace('_', '-')}", *([] if value is True else [str(value)])]
    return " ".join(words)


def fingerprint(report: dict[str, Any]) -> str:
    """A hash of the results. The picture's file contains it, to say from which results it was drawn."""
    return hashlib.sha256(text(report["results"]).encode()).hexdigest()


def write(docs: Path) -> None:
    """The page and its pictures, from the results in docs/labs."""
    reports = read(docs / "labs")
    (docs / "pictures").mkdir(parents=True, exist_ok=True)
    for name, report in reports.items():
        drawn_from = {"Description": f"results {fingerprint(report)}"}
        figure = picture(labs.find(name), report["results"])
        figure.savefig(docs / "pictures" / f"lab-{name}.png", metadata=drawn_from)
    write_atomically(docs / "labs.md", page(reports).encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write docs/labs.md and its pictures from docs/labs/*.json.")
    parser.add_argument("runs", metavar="RUNS", type=Path, nargs="?", help="first copy the results of these runs")
    runs = parser.parse_args().runs
    if runs:
        take_over(runs, DOCS / "labs")
    write(DOCS)
