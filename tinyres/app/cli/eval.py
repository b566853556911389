"""`tinyres eval`: test accuracy and loss of a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tinyres.app import training
from tinyres.app.cli.arguments import Commands, add_command
from tinyres.app.cli.output import show
from tinyres.app.cli.settings import with_flags
from tinyres.app.training import RunFolder

EXAMPLES = """\
examples:
  tinyres eval runs/resnet20
  tinyres eval runs/resnet20 --checkpoint last --data-dir ~/cifar-10-batches-bin
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands, "eval", "RUN_DIR [options]", run, "Test a run's weights on the whole test set.", EXAMPLES
    )
    command.add_argument("folder", metavar="RUN_DIR", type=Path, help="the run's folder")
    command.add_argument("--checkpoint", choices=("best", "last"), default="best", help="default: best")
    command.add_argument("--data-dir", metavar="DIR", help="the folder with the data (default: as in training)")
    command.add_argument("--threads", metavar="N", type=int, help="compute threads (default: as in training)")
    command.add_argument("--device", metavar="D", help="cpu or cuda (default: as in training)")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    folder = RunFolder(arguments.folder)
    settings = with_flags(folder.read_config()["settings"], arguments)
    result = training.evaluate_run(folder, settings, arguments.checkpoint)
    show({"folder": str(folder), "data": settings.data, **result}, arguments, evaluation_text)
    return 0


def evaluation_text(result: dict[str, Any]) -> str:
    return (
        f"test accuracy  {result['test_accuracy']:.2%} of {result['test_images']:,} test images of {result['data']}\n"
        f"test loss      {result['test_loss']:.4f}\n"
        f"weights        {result['checkpoint']}, from epoch {result['epoch']}"
    )
