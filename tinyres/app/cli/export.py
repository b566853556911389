"""`tinyres export`: writes a run's network as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinyres.app import training
from tinyres.app.cli.arguments import Commands, add_command
from tinyres.app.cli.output import announce_compiling, show
from tinyres.app.training import RunFolder

EXAMPLES = """\
examples:
  tinyres export runs/resnet20 model.onnx
  tinyres export runs/resnet20 model.onnx --checkpoint last

This needs the package onnx: pip install "tinyres[onnx]". The file is checked
and run (by onnxruntime, if it is installed), and must give the model's scores.
It takes batches of any size; its metadata give mean and std to normalise with.
"""


def add_to(commands: Commands) -> None:
    text = "Write a run's network as ONNX, for other programs."
    command = add_command(commands, "export", "RUN_DIR OUT.onnx [options]", run, text, EXAMPLES)
    command.add_argument("folder", metavar="RUN_DIR", type=Path, help="the run's folder")
    command.add_argument("out", metavar="OUT.onnx", type=Path, help="the file to write")
    command.add_argument("--checkpoint", choices=("best", "last"), default="best", help="default: best")
    command.add_argument("--json", action="store_true", help="print the file's data as JSON")


def run(arguments: argparse.Namespace) -> int:
    from tinyres.app.export.run import as_text, export_run

    announce_compiling()
    trained = training.load_trained(RunFolder(arguments.folder), arguments.checkpoint)
    show(export_run(trained, arguments.out), arguments, as_text)
    return 0
