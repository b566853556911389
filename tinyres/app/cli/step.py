"""`tinyres step`: writes a page that shows a computation step by step."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinyres.app.cli.arguments import Commands, add_command, one_of
from tinyres.app.cli.output import announce_compiling
from tinyres.look.viz.examples import EXAMPLES as COMPUTATIONS

EXAMPLES = """\
examples:
  tinyres step chain                  three sigmoids, to check by hand
  tinyres step block                  a residual block and its two paths
  tinyres step resnet20 --out step.html

Writes one HTML file that works offline. For your own networks, in Python:
tinyres.look.viz.stepper.
"""


def add_to(commands: Commands) -> None:
    text = "Follow a computation op by op, forward and backward, in a browser."
    command = add_command(commands, "step", "EXAMPLE [options]", run, text, EXAMPLES)
    command.add_argument("example", metavar="EXAMPLE", type=one_of("example", COMPUTATIONS), help="one of those below")
    command.add_argument("--out", metavar="HTML", type=Path, help="default: step-EXAMPLE.html")


def run(arguments: argparse.Namespace) -> int:
    announce_compiling()
    path = arguments.out or Path(f"step-{arguments.example}.html")
    COMPUTATIONS[arguments.example]().save(path)
    print(f"{path} ({path.stat().st_size / 1e3:,.0f} kB): open it in a browser")
    return 0
