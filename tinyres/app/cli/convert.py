"""`tinyres convert`: renames the weights of other repositories to our names, or ours to theirs."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinyres import models
from tinyres.app import weights
from tinyres.app.cli.arguments import Commands, add_command, one_of

EXAMPLES = """\
examples:
  tinyres convert resnet20-12fca82f.th resnet20.safetensors
  tinyres convert checkpoint.pth resnet18.safetensors --model resnet18_cifar
  tinyres convert resnet20.safetensors theirs.safetensors --to pytorch_resnet_cifar10

It knows the names of these repositories, and torchvision's names for ResNets:
  {namings}
A .pth (.pt, .th) file is a pickle. Only torch's restricted reader opens it, which
runs no code in it; so torch must be installed. In Python:
tinyres.app.weights.load_weights(model, file)
"""


def add_to(commands: Commands) -> None:
    text = "Rename weights from other repositories to ours, or back."
    namings = "\n  ".join(f"{key:<23} {naming.repository}" for key, naming in weights.NAMINGS.items())
    examples = EXAMPLES.format(namings=namings)
    usage = "FILE OUT.safetensors [options]"
    command = add_command(commands, "convert", usage, run, text, examples)
    command.add_argument("file", metavar="FILE", type=Path, help=".pth, .safetensors or .npz")
    command.add_argument("out", metavar="OUT.safetensors", type=Path, help="the file to write; .npz works too")
    command.add_argument(
        "--model", metavar="NAME", type=one_of("model", models.names()), help="default: recognised by names and shapes"
    )
    command.add_argument("--zeros", choices=("behind", "both"), help="zeros of shortcuts A (default: by the names)")
    command.add_argument(
        "--to", metavar="NAMES", type=one_of("naming", weights.NAMINGS), help="names to write (default: ours)"
    )


def run(arguments: argparse.Namespace) -> int:
    from tinyres.app.weights.command import convert_file

    options = arguments.model, arguments.zeros, arguments.to
    for line in convert_file(arguments.file, arguments.out, *options):
        print(line)
    return 0
