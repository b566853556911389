"""`tinyres gradcheck`: compares every backward pass with the slope of its forward pass."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tinyres.app.cli.arguments import Commands, add_command, unknown
from tinyres.app.cli.output import announce_compiling

EXAMPLES = """\
examples:
  tinyres gradcheck                   every op, and blocks of residual networks
  tinyres gradcheck --op BatchNorm
  tinyres gradcheck --sweep steps.png

Compares each gradient with central differences, with complex steps and, for
linear ops, by the adjoint identity. If a gradient is wrong, the message names
the op, the element and perhaps the mistake; the exit code is then 1.
"""


def add_to(commands: Commands) -> None:
    text = "Check every backward pass against its forward pass."
    command = add_command(commands, "gradcheck", "[options]", run, text, EXAMPLES)
    command.add_argument("--op", metavar="NAME", help="only one op or network, such as Conv2d (default: all)")
    command.add_argument("--json", action="store_true", help="print the errors as JSON")
    command.add_argument("--sweep", metavar="PNG", type=Path, help="draw the error against the step size")


def run(arguments: argparse.Namespace) -> int:
    from tinyres.check.proof import prove, report, steps
    from tinyres.check.proof.step_sizes import draw_step_sizes

    announce_compiling()
    cases = prove.all_cases()
    if arguments.op:
        names = list(dict.fromkeys(case.subject for case in cases))
        if arguments.op not in names:
            arguments.parser.error(f"argument --op: {unknown('op', arguments.op, names)}")
        cases = [case for case in cases if case.subject == arguments.op]
    rows = prove.prove(cases)
    if arguments.json:
        print(json.dumps(report.as_json(rows)))
    else:
        report.print_report(rows)
    if arguments.sweep:
        draw_step_sizes(steps.sweeps(), arguments.sweep)
    failures = [text for row in rows for text in row.failures]
    for text in failures:
        print(f"\ntinyres: {text}", file=sys.stderr)
    return 1 if failures else 0
