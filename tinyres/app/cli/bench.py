"""`tinyres bench`: how fast it is, and how fast it could be."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tinyres import models
from tinyres.app.cli.arguments import Commands, add_command, one_of, positive

EXAMPLES = """\
examples:
  tinyres bench                       resnet20, batches of 128, all processors
  tinyres bench --model resnet56 --threads 1 --picture roofline.png
  tinyres bench --batch-size 512 --json bench.json

Measures every convolution of the model by itself, beside the processor's peak;
the whole training step; and how much of it batches, optimiser and metrics take.
This takes a minute or two; let nothing else run meanwhile.
"""
STDOUT = Path("-")


def add_to(commands: Commands) -> None:
    text = "Measure the speed, and compare it with the machine's peak."
    command = add_command(commands, "bench", "[options]", run, text, EXAMPLES)
    names = one_of("model", models.names())
    command.add_argument("--model", metavar="NAME", type=names, default="resnet20", help="default: resnet20")
    command.add_argument("--batch-size", metavar="N", type=positive, default=128, help="default: 128")
    command.add_argument("--threads", metavar="N", type=positive, help="default: one for each processor")
    command.add_argument("--repeats", metavar="N", type=positive, default=10, help="timed calls of each (default: 10)")
    command.add_argument("--forward", action="store_true", help="only the forward pass, no training step")
    text = "write all results as JSON to FILE, or print them"
    command.add_argument("--json", metavar="FILE", type=Path, nargs="?", const=STDOUT, help=text)
    command.add_argument("--picture", metavar="PNG", type=Path, help="draw the roofline of the convolutions")


def run(arguments: argparse.Namespace) -> int:
    from tinyres.app.bench import machine, report, roofline, suite

    result = suite.bench(
        arguments.model,
        arguments.batch_size,
        arguments.threads or machine.available_cores(),
        arguments.repeats,
        arguments.forward,
        say=lambda text: print(f"measuring {text}", file=sys.stderr),
    )
    if arguments.json == STDOUT:
        print(json.dumps(result))
    else:
        report.print_report(result)
    if arguments.json not in (None, STDOUT):
        arguments.json.write_text(json.dumps(result), encoding="utf-8")
    if arguments.picture:
        roofline.draw_roofline(result, arguments.picture)
    return 0
