"""`tinyres bench`: how fast it is, and how fast it could be."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tinyres import models
from tinyres.cli.arguments import Commands, add_command, one_of, positive

EXAMPLES = """\
examples:
  tinyres bench                       resnet20, batches of 128, all processors
  tinyres bench --model resnet56 --threads 1 --picture roofline.png
  tinyres bench --batch-size 512 --no-torch --json > bench.json

Every convolution of the model by itself, with its share of what this processor
can do at most; the whole training step; what batches, optimiser and metrics
take of it; and, if torch is installed, the same network there, in turns with
ours. Takes some minutes; let nothing else run.
"""


def add_to(commands: Commands) -> None:
    text = "Measure the speed, against the machine's peak and torch's."
    command = add_command(commands, "bench", "[options]", run, text, EXAMPLES)
    names = one_of("model", models.names())
    command.add_argument("--model", metavar="NAME", type=names, default="resnet20", help="default: resnet20")
    command.add_argument("--batch-size", metavar="N", type=positive, default=128, help="default: 128")
    command.add_argument("--threads", metavar="N", type=positive, help="default: as many as there are processors")
    command.add_argument("--repeats", metavar="N", type=positive, default=10, help="timed calls of each (default: 10)")
    command.add_argument("--forward", action="store_true", help="the forward pass alone, no training step")
    command.add_argument("--no-torch", dest="torch", action="store_false", help="do not compare with torch")
    command.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    command.add_argument("--picture", metavar="PNG", type=Path, help="draw the roofline of the convolutions")


def run(arguments: argparse.Namespace) -> int:
    from tinyres.bench import compare, machine, report, roofline

    result = compare.bench(
        arguments.model,
        arguments.batch_size,
        arguments.threads or machine.available_cores(),
        arguments.repeats,
        arguments.forward,
        arguments.torch,
        say=lambda text: print(f"measuring {text}", file=sys.stderr),
    )
    if arguments.json:
        print(json.dumps(result))
    else:
        report.print_report(result)
    if arguments.picture:
        roofline.draw_roofline(result, arguments.picture)
    return 0
