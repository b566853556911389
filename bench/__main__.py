"""`python -m bench torch`, `python -m bench gpu`, `python -m bench sass`, `mpiexec -n 2 python -m bench allreduce`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import allreduce, compare
from bench.gpu import report, ruler, sections
from tinyres import models
from tinyres.app.bench.machine import available_cores
from tinyres.app.cli.arguments import one_of, positive
from tinyres.app.training import RunError
from tinyres.app.training.files import write_json
from tinyres_kernels import products

GPU_TEXT = """\
Is every kernel right? How long does each take, beside what the GPU can do? How
fast is training in float32, TF32 and bf16, ours and torch's? A part that breaks
is reported, and the others still run; the exit code is then 1.
"""
SECTIONS_TEXT = f"default: {','.join(sections.SECTIONS)}"
STDOUT = Path("-")


def main(argv: Sequence[str] | None = None) -> int:
    """0: done. 1: something failed, and the message says why."""
    arguments = parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(prog="python -m bench", description="Measurements beside torch and on GPUs.")
    commands = main_parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser("torch", help="the training step, ours and torch's in turns")
    names = one_of("model", models.names())
    command.add_argument("--model", metavar="NAME", type=names, default="resnet20", help="default: resnet20")
    add_settings(command)
    command.add_argument("--threads", metavar="N", type=positive, help="default: one for each processor")
    command.add_argument("--forward", action="store_true", help="only the forward pass, no training step")
    command.set_defaults(command=beside_torch)

    text = "every kernel and the training step on a GPU, and torch's step"
    command = commands.add_parser(
        "gpu", help=text, description=GPU_TEXT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    several = list_of("model", models.names())
    default = ",".join(sections.MODELS)
    command.add_argument("--model", metavar="NAMES", type=several, default=sections.MODELS, help=f"default: {default}")
    add_settings(command)
    command.add_argument(
        "--sections",
        metavar="LIST",
        type=list_of("section", sections.SECTIONS),
        default=sections.SECTIONS,
        help=SECTIONS_TEXT,
    )
    command.add_argument("--minutes", metavar="N", type=positive, help="begin no new measurement after N minutes")
    command.add_argument("--paper", metavar="DIR", type=Path, help="also train ResNet-20 by the paper's recipe, in DIR")
    command.add_argument("--data-dir", metavar="DIR", help="the folder that holds CIFAR-10, for --paper")
    command.set_defaults(command=on_a_gpu)

    text = "how long convolutions should take on an H100, by their instructions; without a GPU"
    command = commands.add_parser(
        "sass", help=text, description=ruler.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = one_of("model", models.names())
    command.add_argument("--model", metavar="NAME", type=names, default="resnet20", help="default: resnet20")
    command.add_argument("--batch-size", metavar="N", type=positive, default=128, help="default: 128")
    kinds = list_of("kind", products.KINDS)
    command.add_argument("--kinds", metavar="LIST", type=kinds, default=products.KINDS, help="default: all")
    command.set_defaults(command=without_a_gpu)

    command = commands.add_parser("allreduce", help="how long it takes to sum arrays over the ranks, under mpiexec")
    command.add_argument("file", metavar="FILE", type=Path, help="JSON, to which these ranks' times are added")
    command.set_defaults(command=over_ranks)
    return main_parser


def list_of(kind: str, names: Iterable[str]) -> Callable[[str], list[str]]:
    """An argument type that accepts these names only, with commas between them."""
    check = one_of(kind, names)
    return lambda text: [check(name) for name in text.split(",")]


def add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--batch-size", metavar="N", type=positive, default=128, help="default: 128")
    command.add_argument("--repeats", metavar="N", type=positive, default=10, help="timed calls of each (default: 10)")
    text = "write all results as JSON to FILE, or print them"
    command.add_argument("--json", metavar="FILE", type=Path, nargs="?", const=STDOUT, help=text)


def beside_torch(arguments: argparse.Namespace) -> int:
    result = compare.compare(
        arguments.model,
        arguments.batch_size,
        arguments.threads or available_cores(),
        arguments.repeats,
        arguments.forward,
        say=lambda text: print(f"measuring {text}", file=sys.stderr),
    )
    if arguments.json == STDOUT:
        print(json.dumps(result))
    else:
        compare.print_comparison(result)
        keep(result, arguments.json)
    return 0


def on_a_gpu(arguments: argparse.Namespace) -> int:
    file = None if arguments.json == STDOUT else arguments.json
    where = sys.stderr if arguments.json == STDOUT else sys.stdout
    result = sections.bench(
        arguments.model,
        arguments.batch_size,
        arguments.repeats,
        arguments.sections,
        arguments.paper,
        arguments.data_dir,
        arguments.minutes,
        say=lambda text: print(text, file=where, flush=True),
        keep=lambda result: keep(result, file),
    )
    failures = sections.failures(result)
    if arguments.json == STDOUT:
        print(json.dumps(result))
    print(report.last_words(result, failures), file=where)
    return 1 if failures else 0


def without_a_gpu(arguments: argparse.Namespace) -> int:
    print(ruler.__doc__)
    print(ruler.measured(arguments.model, arguments.batch_size, arguments.kinds))
    return 0


def over_ranks(arguments: argparse.Namespace) -> int:
    allreduce.measure_and_add(arguments.file)
    return 0


def keep(result: dict[str, Any], file: Path | None) -> None:
    if file:
        write_json(file, result)


if __name__ == "__main__":
    sys.exit(main())
