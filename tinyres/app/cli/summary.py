"""`tinyres summary`: shows a model layer by layer."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tinyres import models
from tinyres.app.cli.arguments import Commands, add_command, add_model_arguments, image_shape, positive
from tinyres.app.cli.output import announce_compiling
from tinyres.look.step_memory import memory_table
from tinyres.look.summary import summary
from tinyres.look.undrawn import undrawn

EXAMPLES = """\
examples:
  tinyres summary resnet50
  tinyres summary resnet20 --shortcut B
  tinyres summary resnet18 --input 3x64x64
  tinyres summary resnet50 --batch-size 32      with a training step's memory
"""


def add_to(commands: Commands) -> None:
    text = "Show a model's layers, shapes, parameters and multiply-adds."
    command = add_command(
        commands,
        "summary",
        "MODEL [options]",
        run,
        text,
        f"models:\n{listed(models.names())}\n\n{EXAMPLES}",
    )
    add_model_arguments(command, "model", "one of the models below", metavar="MODEL")
    command.add_argument("--input", metavar="CxHxW", type=image_shape, help="default: 3x32x32 or 3x224x224, by model")
    command.add_argument("--batch-size", metavar="N", type=positive, help="also show the memory of a training step")


def run(arguments: argparse.Namespace) -> int:
    try:
        with undrawn():  # only shapes matter here
            model = models.build(arguments.model, shortcut=arguments.shortcut)
    except ValueError as error:
        arguments.parser.error(str(error))
    shape = arguments.input or models.input_shape(arguments.model)
    announce_compiling()
    print(summary(model, shape, arguments.model))
    if arguments.batch_size:
        print(f"\n{memory_table(model, shape, arguments.batch_size)}")
    return 0


def listed(names: Sequence[str], width: int = 72) -> str:
    from textwrap import fill

    return fill(", ".join(names), width, initial_indent="  ", subsequent_indent="  ")
