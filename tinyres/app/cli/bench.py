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
  tinyres bench --batch-size 512 --no-torch --json bench.json
  tinyres bench --device cuda --json card.json     a GPU, three networks
  tinyres bench --device cuda --model resnet20 --paper runs/paper

Every convolution of the model by itself, with its share of what this processor
can do at most; the whole training step; what batches, optimiser and metrics
take of it; and, if torch is installed, the same network there, in turns with
ours. Takes some minutes; let nothing else run.

On a GPU: whether every kernel is right, how long each takes beside what the
card can do, and training in float32, TF32 and bf16, ours and torch's. A part
that breaks says so, and the others are still run; the exit code is then 1.
"""
TO_STDOUT = Path("-")


def add_to(commands: Commands) -> None:
    text = "Measure the speed, against the machine's peak and torch's."
    command = add_command(commands, "bench", "[options]", run, text, EXAMPLES)
    names = one_of("model", models.names())
    command.add_argument("--model", metavar="NAME", type=names, help="default: resnet20 (cuda: and two larger ones)")
    command.add_argument("--batch-size", metavar="N", type=positive, default=128, help="default: 128")
    command.add_argument("--threads", metavar="N", type=positive, help="default: as many as there are processors")
    command.add_argument("--repeats", metavar="N", type=positive, default=10, help="timed calls of each (default: 10)")
    command.add_argument("--forward", action="store_true", help="the forward pass alone, no training step")
    command.add_argument("--no-torch", dest="torch", action="store_false", help="do not compare with torch")
    text = "everything that was measured as JSON, into FILE, or printed"
    command.add_argument("--json", metavar="FILE", type=Path, nargs="?", const=TO_STDOUT, help=text)
    command.add_argument("--picture", metavar="PNG", type=Path, help="draw the roofline of the convolutions")
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu")

    card = command.add_argument_group("with --device cuda")
    card.add_argument("--minutes", metavar="N", type=positive, help="after so many nothing new is begun")
    card.add_argument("--paper", metavar="DIR", type=Path, help="also ResNet-20 by the paper's recipe, into DIR")
    card.add_argument("--data-dir", metavar="DIR", help="where CIFAR-10 lies already, for --paper")


def run(arguments: argparse.Namespace) -> int:
    check(arguments)
    return on_a_card(arguments) if arguments.device == "cuda" else on_this_processor(arguments)


def check(arguments: argparse.Namespace) -> None:
    """No flag is silently without effect."""
    others = {"cuda": ("threads", "forward", "picture"), "cpu": ("minutes", "paper", "data_dir")}[arguments.device]
    for name in others:
        if getattr(arguments, name):
            arguments.parser.error(f"argument --{name.replace('_', '-')}: does not go with --device {arguments.device}")


def on_a_card(arguments: argparse.Namespace) -> int:
    from tinyres.app.bench.gpu import report, sections

    file = None if arguments.json in (None, TO_STDOUT) else arguments.json
    where = sys.stderr if arguments.json == TO_STDOUT else sys.stdout
    result = sections.bench(
        (arguments.model,) if arguments.model else sections.MODELS,
        arguments.batch_size,
        arguments.repeats,
        arguments.torch,
        arguments.paper,
        arguments.data_dir,
        arguments.minutes,
        say=lambda text: print(text, file=where, flush=True),
        keep=lambda result: file.write_text(json.dumps(result), encoding="utf-8") if file else None,
    )
    failures = sections.failures(result)
    if arguments.json == TO_STDOUT:
        print(json.dumps(result))
    print(report.last_words(result, failures), file=where)
    return 1 if failures else 0


def on_this_processor(arguments: argparse.Namespace) -> int:
    from tinyres.app.bench import compare, machine, report, roofline

    result = compare.bench(
        arguments.model or "resnet20",
        arguments.batch_size,
        arguments.threads or machine.available_cores(),
        arguments.repeats,
        arguments.forward,
        arguments.torch,
        say=lambda text: print(f"measuring {text}", file=sys.stderr),
    )
    if arguments.json == TO_STDOUT:
        print(json.dumps(result))
    else:
        report.print_report(result)
    if arguments.json not in (None, TO_STDOUT):
        arguments.json.write_text(json.dumps(result), encoding="utf-8")
    if arguments.picture:
        roofline.draw_roofline(result, arguments.picture)
    return 0
