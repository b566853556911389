"""`tinyres predict`: classifies pictures with a run's network."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinyres.app import prediction, training
from tinyres.app.cli.arguments import Commands, add_command, positive
from tinyres.app.cli.output import show
from tinyres.app.training import RunFolder

EXAMPLES = """\
examples:
  tinyres predict runs/resnet20 cat.jpg
  tinyres predict runs/resnet20 pictures/*.png --top 3 --out seen.png
  tinyres predict runs/resnet20 cat.jpg --json

If a picture is not square, its central square is used. It is scaled to the
size of the training images, and the output says so. The PNG shows every
picture, what the network sees of it, and bars for the most likely classes.
"""


def add_to(commands: Commands) -> None:
    text = "Classify pictures with a run's network."
    command = add_command(commands, "predict", "RUN_DIR IMAGE … [options]", run, text, EXAMPLES)
    command.add_argument("folder", metavar="RUN_DIR", type=Path, help="the run's folder")
    command.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="PNG, JPEG, BMP, GIF or WebP")
    command.add_argument("--checkpoint", choices=("best", "last"), default="best", help="default: best")
    command.add_argument("--top", metavar="N", type=positive, default=5, help="how many classes (default: 5)")
    picture = Path("prediction.png")
    command.add_argument("--out", metavar="PNG", type=Path, default=picture, help=f"default: {picture}")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    from tinyres.app.prediction.predict import as_table

    trained = training.load_trained(RunFolder(arguments.folder), arguments.checkpoint)
    found = prediction.predict(trained, arguments.images, arguments.top)
    title = f"{trained.name} of {arguments.folder}"
    drawn = prediction.draw_predictions(found, arguments.out, title)
    first = f" (the first {drawn} pictures)" if drawn < len(found) else ""
    text = f"{as_table(found)}\npicture  {arguments.out}{first}"
    result = {"checkpoint": str(trained.checkpoint), "images": [one.as_json() for one in found]}
    show({**result, "picture": str(arguments.out)}, arguments, lambda _: text)
    return 0
