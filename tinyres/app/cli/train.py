"""`tinyres train`: start a run or go on with one, on all processes that mpiexec started."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinyres import data, models
from tinyres.app import training
from tinyres.app.cli.arguments import Commands, add_command, add_model_arguments, data_set, one_of, several
from tinyres.app.cli.output import progress_console, show
from tinyres.app.cli.ranks import AGREED, FAILURES
from tinyres.app.cli.settings import chosen_settings, with_flags
from tinyres.app.training import Interrupted, RunError, RunFolder, Settings
from tinyres.app.training.event_file import require_tensorboardx
from tinyres.app.training.seeds import plan_file, read_plan
from tinyres.app.training.settings import BATCH_NORMS, PRECISIONS, RECIPES, SCHEDULES
from tinyres.device import to_device
from tinyres.scale import parallel
from tinyres.scale.parallel import Communicator

RECIPE_HELP = "fast, or paper: as He et al. 2016, section 4.2 (default: fast)"
SCHEDULE_HELP = ", ".join(SCHEDULES) + " (fast: onecycle, paper: step)"
PRECISION_HELP = ", ".join(PRECISIONS) + " (default: float32); the last two need a GPU and round products only"
BATCH_NORM_HELP = "under mpiexec: over the whole batch (sync) or each process's part (local); default: sync"
TENSORBOARD_HELP = "write every epoch's figures as an event file in the run's folder too"
EXAMPLES = """\
examples:
  tinyres train                       on Shapes, drawn in code: about a minute
  tinyres train --data cifar10 --model resnet20 --epochs 30 --out runs/resnet20
  tinyres train --data cifar10 --model resnet110 --recipe paper
  tinyres train --data folder:my-pictures --model resnet20
  tinyres train --seeds 5 --out runs/five
  tinyres train --resume runs/resnet20
  mpiexec -n 4 tinyres train --data cifar10

A tenth of the training images is set aside for validation, and the weights of
the epoch with the best accuracy there are kept. The test set is used once, at
the end, with these weights. Ctrl-C or SIGTERM saves everything, and --resume
goes on exactly there; a second one stops without saving. A run is also saved
after every epoch and every ten minutes: after a crash --resume goes on from
there, and ends with the same weights.

Under mpiexec the processes share every batch, and learn what one process would
learn (docs/cluster.md). This needs pip install "tinyres[mpi]".
"""


def add_to(commands: Commands) -> None:
    command = add_command(commands, "train", "[options]", run, "Train a network, and test it once.", EXAMPLES)

    what = command.add_argument_group("what to train")
    what.add_argument("--data", metavar="NAME", type=data_set, help=f"{', '.join(data.NAMES)} (default: shapes)")
    what.add_argument("--data-dir", metavar="DIR", help="a folder that has CIFAR already (default: download it once)")
    add_model_arguments(what, "--model", "default: resnet8; `tinyres summary --help` lists them")

    how = command.add_argument_group("how to train it")
    how.add_argument("--recipe", metavar="NAME", type=one_of("recipe", RECIPES), help=RECIPE_HELP)
    how.add_argument("--epochs", metavar="N", type=int, help=recipe_default("epochs"))
    how.add_argument("--batch-size", metavar="N", type=int, help=recipe_default("batch_size"))
    how.add_argument("--lr", metavar="LR", type=float, help=f"the highest learning rate ({recipe_default('lr')})")
    how.add_argument("--schedule", metavar="NAME", type=one_of("schedule", SCHEDULES), help=SCHEDULE_HELP)
    how.add_argument("--momentum", metavar="M", type=float, help=recipe_default("momentum"))
    how.add_argument("--weight-decay", metavar="W", type=float, help=recipe_default("weight_decay"))
    how.add_argument("--label-smoothing", metavar="E", type=float, help="default: 0")
    how.add_argument("--limit-batches", metavar="N", type=int, help="at most N batches an epoch, for a quick look")
    how.add_argument("--seed", metavar="S", type=int, help="the same seed gives the same run (default: 0)")
    how.add_argument("--seeds", metavar="N", type=several, help="N runs with the seeds S, S + 1, …, and their mean")

    where = command.add_argument_group("where")
    where.add_argument("--out", metavar="DIR", type=Path, help="new folder (default: runs/DATA-MODEL-DATE-TIME)")
    where.add_argument("--resume", metavar="DIR", type=Path, help="go on with the run in DIR, exactly where it stopped")
    where.add_argument("--threads", metavar="N", type=int, help="how many threads compute (default: every core)")
    where.add_argument("--device", metavar="D", help="cpu or cuda (default: cpu); --resume may change it")
    where.add_argument("--batch-norm", metavar="B", type=one_of("batch norm", BATCH_NORMS), help=BATCH_NORM_HELP)
    where.add_argument("--precision", metavar="P", type=one_of("precision", PRECISIONS), help=PRECISION_HELP)

    output = command.add_argument_group("what is printed and written")
    output.add_argument("--quiet", action="store_true", help="print only the result")
    output.add_argument("--json", action="store_true", help="print the result as JSON, and all else to stderr")
    output.add_argument("--tensorboard", action="store_true", default=None, help=TENSORBOARD_HELP)


def run(arguments: argparse.Namespace) -> int:
    with parallel.connected(AGREED, FAILURES) as ranks:
        return run_on(ranks, arguments)


def run_on(ranks: Communicator, arguments: argparse.Namespace) -> int:
    """What each rank does. Only the first one reads files."""
    is_first, plan = ranks.rank == 0, None
    if is_first:
        folder, count, settings = (folder_to_resume if arguments.resume else new_folder)(arguments)
        if count and ranks.size > 1:
            arguments.parser.error("argument --seeds: does not go with mpiexec; start the runs one after the other")
        usable(settings, arguments)
        plan = str(folder), count, asdict(settings)
    name, count, chosen = parallel.from_first(plan, ranks)
    folder, settings = RunFolder(name), Settings(**chosen)
    ranks = parallel.on_device(ranks, settings.device)
    console = progress_console(arguments)
    if is_first and arguments.resume and folder.read_result() is not None:
        console.print(f"{folder} is finished; this is its result.\n", markup=False, highlight=False, soft_wrap=True)
    try:
        if count is None:
            result = (training.resume if arguments.resume else training.train)(settings, folder, console, ranks)
        else:
            go = training.resume_seeds if arguments.resume else training.train_seeds
            result = go(settings, count, folder, console)
    except Interrupted as stop:
        print(f"\n{stop}; everything is saved.\nGo on with\n\n  tinyres train --resume {folder}", file=sys.stderr)
        return 130
    console.print()
    show({"folder": str(folder), **result}, arguments, seeds_text if count else result_text)
    return 0


def new_folder(arguments: argparse.Namespace) -> tuple[RunFolder, int | None, Settings]:
    try:
        settings = Settings.from_recipe(**chosen_settings(arguments))
    except ValueError as error:
        arguments.parser.error(f"argument --{error}")
    folder = RunFolder(arguments.out) if arguments.out else training.default_folder(settings)
    return folder, arguments.seeds, settings


def folder_to_resume(arguments: argparse.Namespace) -> tuple[RunFolder, int | None, Settings]:
    for flag in ("out", "seeds"):
        if getattr(arguments, flag) is not None:
            arguments.parser.error(f"argument --{flag}: does not go with --resume, which goes on with the run as it is")
    folder = RunFolder(arguments.resume)
    if plan_file(folder).exists():
        settings, count = read_plan(folder)
        return folder, count, with_flags(settings, arguments)
    return folder, None, with_flags(folder.read_config()["settings"], arguments)


def usable(settings: Settings, arguments: argparse.Namespace) -> None:
    """Check, before anything is downloaded, that the model, the device and the packages exist."""
    try:
        models.build(settings.model, shortcut=settings.shortcut)
        to_device(np.zeros(1), settings.device)
        if settings.tensorboard:
            require_tensorboardx()
    except ValueError as error:
        arguments.parser.error(str(error))
    except RuntimeError as error:
        raise RunError(str(error)) from error


def recipe_default(setting: str) -> str:
    """As in "default: 0.9" or, if the recipes differ, "fast: 0.3, paper: 0.1"."""
    fast, paper = (recipe.get(setting, f"{recipe.get('steps')} steps") for recipe in RECIPES.values())
    return f"default: {fast}" if fast == paper else f"fast: {fast}, paper: {paper}"


def result_text(result: dict[str, Any]) -> str:
    return (
        f"test accuracy  {result['test_accuracy']:.2%} of {result['test_images']:,} test images, used only once\n"
        f"test loss      {result['test_loss']:.4f}\n"
        f"weights        of epoch {result['epoch']} of {result['epochs']}, the best in validation "
        f"({result['validation_accuracy']:.2%})\n"
        f"folder         {result['folder']}"
    )


def seeds_text(result: dict[str, Any]) -> str:
    lines = [
        f"seed {seed:<8}  {accuracy:.2%}"
        for seed, accuracy in zip(result["seeds"], result["test_accuracies"], strict=True)
    ]
    average, deviation = 100 * result["test_accuracy"], 100 * result["test_accuracy_std"]
    lines.append(f"test accuracy  {average:.2f} ± {deviation:.2f} % (mean ± standard deviation of {len(lines)} runs)")
    return "\n".join([*lines, f"folder         {result['folder']}"])
