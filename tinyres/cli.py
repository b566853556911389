"""The command line: arguments in, library calls, exit codes out.

0: done    1: it failed, and the message says why    2: the command line is wrong    130: stopped by Ctrl-C or SIGTERM
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tinyres
from tinyres import data, export, labs, models, parallel, prediction, training, weights
from tinyres.device import must_compile, to_device
from tinyres.labs.workbench import LabSettings
from tinyres.nn.init import undrawn
from tinyres.parallel import Communicator, ParallelError
from tinyres.step_memory import memory_table
from tinyres.summary import summary
from tinyres.training import Diverged, Interrupted, RunError, RunFolder, Settings
from tinyres.training.seeds import plan_file, read_plan
from tinyres.training.settings import BATCH_NORMS, PRECISIONS, RECIPES, SCHEDULES
from tinyres.viz.examples import EXAMPLES

if TYPE_CHECKING:
    from rich.console import Console

FAILURES = (RunError, ParallelError, data.DataError, weights.WeightsError, export.ExportError, OSError)
MAY_CHANGE = ("data_dir", "threads")  # with --resume: where and how fast a run happens, not what it computes


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. SystemExit for --help, --version and a wrong command line."""
    with quiet_unless_first():
        arguments = parser().parse_args(argv)
        try:
            if arguments.command is not train and parallel.ranks_started() > 1:
                raise ParallelError("only `tinyres train` shares its work among several processes: leave mpiexec out")
            return arguments.command(arguments)
        except FAILURES as error:
            print(f"tinyres: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ntinyres: stopped", file=sys.stderr)
            return 130


@contextmanager
def quiet_unless_first() -> Iterator[None]:
    """Inside, of the processes that mpiexec started the first alone is heard."""
    with ExitStack() as stack:
        if parallel.rank_started() > 0:
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(redirect_stdout(nowhere))
            stack.enter_context(redirect_stderr(nowhere))
        yield


# ---- the commands ----------------------------------------------------------------------------------------------------


def train(arguments: argparse.Namespace) -> int:
    """`tinyres train`: a new run, or the rest of an old one; on all processes that mpiexec started."""
    with parallel.connected(agreed=(Diverged, Interrupted), explained=FAILURES) as ranks:
        return train_on(ranks, arguments)


def train_on(ranks: Communicator, arguments: argparse.Namespace) -> int:
    """On each of these; the first reads what there is to read."""
    if ranks.rank == 0:
        folder, count, settings = (folder_to_resume if arguments.resume else new_folder)(arguments)
        if count and ranks.size > 1:
            arguments.parser.error("argument --seeds: does not go with mpiexec; start the runs one after the other")
        usable(settings, arguments)
        plan = str(folder), count, asdict(settings)
    path, count, chosen = parallel.from_first(plan if ranks.rank == 0 else None, ranks)
    folder, settings = RunFolder(path), Settings(**chosen)
    ranks = parallel.on_device(ranks, settings.device)
    console = progress_console(arguments)
    if arguments.resume and folder.read_result() is not None:
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


def evaluate(arguments: argparse.Namespace) -> int:
    """`tinyres eval`: the test set's figures for a checkpoint."""
    folder = RunFolder(arguments.folder)
    settings = with_flags(folder.read_config()["settings"], arguments)
    result = training.evaluate_run(folder, settings, arguments.checkpoint)
    show({"folder": str(folder), "data": settings.data, **result}, arguments, evaluation_text)
    return 0


def summarise(arguments: argparse.Namespace) -> int:
    """`tinyres summary`: what a model is made of."""
    try:
        with undrawn():  # shapes alone count
            model = models.build(arguments.model, shortcut=arguments.shortcut)
    except ValueError as error:
        arguments.parser.error(str(error))
    shape = arguments.input or models.input_shape(arguments.model)
    print(summary(model, shape, arguments.model))
    if arguments.batch_size:
        announce_compiling()
        print(f"\n{memory_table(model, shape, arguments.batch_size)}")
    return 0


def measure_speed(arguments: argparse.Namespace) -> int:
    """`tinyres bench`: how fast it is, and how fast it could be."""
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


def check_gradients(arguments: argparse.Namespace) -> int:
    """`tinyres gradcheck`: every backward pass against the slope of its forward."""
    from tinyres.proof import prove, report, steps
    from tinyres.viz.step_sizes import draw_step_sizes

    announce_compiling()
    cases = prove.all_cases()
    if arguments.op:
        names = list(dict.fromkeys(case.subject for case in cases))
        if arguments.op not in names:
            arguments.parser.error(f"argument --op: {unknown('op', arguments.op, names)}")
        cases = [case for case in cases if case.subject == arguments.op]
    rows = prove.prove(cases)
    if arguments.json:
        print(json.dumps(report.as_json(rows)))
    else:
        report.print_report(rows)
    if arguments.sweep:
        draw_step_sizes(steps.sweeps(), arguments.sweep)
    failures = [text for row in rows for text in row.failures]
    for text in failures:
        print(f"\ntinyres: {text}", file=sys.stderr)
    return 1 if failures else 0


def lab(arguments: argparse.Namespace) -> int:
    """`tinyres lab`: an experiment of the subject, or the list of them."""
    if arguments.list:
        print(lab_list())
        return 0
    if arguments.name is None:
        arguments.parser.error("expected the name of a lab, or --list")
    names = ("full", "data", "data_dir", "seed", "seeds", "epochs", "images", "half", "nets", "threads")
    settings = LabSettings(**{name: getattr(arguments, name) for name in names})
    console = progress_console(arguments)
    bench = labs.Workbench(arguments.name, settings, arguments.out or Path("runs", f"lab-{arguments.name}"), console)
    report = labs.perform(labs.find(arguments.name), bench)
    show({"folder": str(bench.folder), **report}, arguments, lab_text)
    return 0


def step(arguments: argparse.Namespace) -> int:
    """`tinyres step`: a page to follow a computation on."""
    announce_compiling()
    path = arguments.out or Path(f"step-{arguments.example}.html")
    EXAMPLES[arguments.example]().save(path)
    print(f"{path} ({path.stat().st_size / 1e3:,.0f} kB): open it in a browser")
    return 0


def predict(arguments: argparse.Namespace) -> int:
    """`tinyres predict`: what a run's network takes pictures for."""
    from tinyres.prediction.predict import as_table

    trained = training.load_trained(RunFolder(arguments.folder), arguments.checkpoint)
    found = prediction.predict(trained, arguments.images, arguments.top)
    title = f"{trained.name} of {arguments.folder}"
    drawn = prediction.draw_predictions(found, arguments.out, title)
    first = f" (the first {drawn} pictures)" if drawn < len(found) else ""
    text = f"{as_table(found)}\npicture  {arguments.out}{first}"
    result = {"checkpoint": str(trained.checkpoint), "images": [one.as_json() for one in found]}
    show({**result, "picture": str(arguments.out)}, arguments, lambda _: text)
    return 0


def export_model(arguments: argparse.Namespace) -> int:
    """`tinyres export`: a run's network as an ONNX file."""
    from tinyres.export.run import as_text, export_run

    announce_compiling()
    trained = training.load_trained(RunFolder(arguments.folder), arguments.checkpoint)
    show(export_run(trained, arguments.out), arguments, as_text)
    return 0


def convert_weights(arguments: argparse.Namespace) -> int:
    """`tinyres convert`: weights from outside under our names, or ours under others'."""
    from tinyres.weights.command import convert_file

    options = arguments.model, arguments.zeros, arguments.to
    for line in convert_file(arguments.file, arguments.out, *options):
        print(line)
    return 0


def announce_compiling() -> None:
    if must_compile():
        print("compiling the kernels for this machine: half a minute, and not again", file=sys.stderr)


def course(arguments: argparse.Namespace) -> int:
    """`tinyres course`: what is solved of the exercises, or the task of one."""
    from tinyres.course import check

    if arguments.name is None:
        print(check)
    elif arguments.name in dir(check):
        print(getattr(check, arguments.name))
    else:
        arguments.parser.error(unknown("exercise", arguments.name, dir(check)))
    return 0


# ---- from arguments to settings --------------------------------------------------------------------------------------


def chosen_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line names."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(Settings)}
    return {name: value for name, value in given.items() if value is not None}


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


def with_flags(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """A run's settings, and what may be said anew on the command line. All else must be as the run has it."""
    chosen = chosen_settings(arguments)
    for name, value in chosen.items():
        own = getattr(settings, name)
        if name not in MAY_CHANGE and value != own:
            flag = name.replace("_", "-")
            arguments.parser.error(
                f"argument --{flag}: {value} contradicts the run, which began with {own}; "
                f"leave --{flag} out, or start a new run"
            )
    return replace(settings, **{name: value for name, value in chosen.items() if name in MAY_CHANGE})


def usable(settings: Settings, arguments: argparse.Namespace) -> None:
    """Find out before anything is downloaded whether there is such a model, and such a device."""
    try:
        models.build(settings.model, shortcut=settings.shortcut)
        to_device(np.zeros(1), settings.device)
    except ValueError as error:
        arguments.parser.error(str(error))
    except RuntimeError as error:
        raise RunError(str(error)) from error


# ---- what is shown ---------------------------------------------------------------------------------------------------


def progress_console(arguments: argparse.Namespace) -> Console:
    from rich.console import Console

    return Console(stderr=arguments.json, quiet=arguments.quiet)


def show(result: dict[str, Any], arguments: argparse.Namespace, text: Callable[[dict[str, Any]], str]) -> None:
    print(json.dumps(result) if arguments.json else text(result))


def result_text(result: dict[str, Any]) -> str:
    return (
        f"test accuracy  {result['test_accuracy']:.2%} of {result['test_images']:,} test images, looked at only now\n"
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


def evaluation_text(result: dict[str, Any]) -> str:
    return (
        f"test accuracy  {result['test_accuracy']:.2%} of {result['test_images']:,} test images of {result['data']}\n"
        f"test loss      {result['test_loss']:.4f}\n"
        f"weights        {result['checkpoint']}, of epoch {result['epoch']}"
    )


def lab_list() -> str:
    lines = [f"{name:<14} {labs.find(name).MINUTES:>5.1f} min   {labs.find(name).TITLE}" for name in labs.NAMES]
    return "\n".join([*lines, "", "The time is that of the default run on two cores; --full takes hours for some."])


def lab_text(report: dict[str, Any]) -> str:
    head, rows = labs.find(report["lab"]).table(report["results"])
    lines = [[str(value) for value in row] for row in (head, *rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    table = [
        "  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    table.insert(1, "─" * len(max(table, key=len)))
    return "\n".join([*table, "", report["verdict"], f"picture and results are in {report['folder']}"])


# ---- the arguments ---------------------------------------------------------------------------------------------------

RECIPE_HELP = "fast, or paper: as He et al. 2016, section 4.2 (default: fast)"
SCHEDULE_HELP = ", ".join(SCHEDULES) + " (fast: onecycle, paper: step)"
PRECISION_HELP = " or ".join(PRECISIONS) + " (default: float32)"
BATCH_NORM_HELP = "under mpiexec: over the whole batch (sync) or each process's part (local); default: sync"
SHORTCUT_HELP = "A: zeros, B: 1×1 convolutions where the shape changes, C: everywhere (default: the model's own)"

TRAIN_EXAMPLES = """\
examples:
  tinyres train                       on Shapes, drawn in code: about a minute
  tinyres train --data cifar10 --model resnet20 --epochs 30 --out runs/resnet20
  tinyres train --data cifar10 --model resnet110 --recipe paper
  tinyres train --data folder:my-pictures --model resnet20
  tinyres train --seeds 5 --out runs/five
  tinyres train --resume runs/resnet20

A tenth of the training images is set aside for validation; the weights of the
epoch that does best there are kept. The test set is looked at once, at the end,
with these. Ctrl-C or SIGTERM saves everything, so that --resume goes on exactly
there; a second one stops without saving. Every epoch is saved, and every ten
minutes: after a crash --resume goes on from there, to the same weights.
"""
EVAL_EXAMPLES = """\
examples:
  tinyres eval runs/resnet20
  tinyres eval runs/resnet20 --checkpoint last --data-dir ~/cifar-10-batches-bin
"""
SUMMARY_EXAMPLES = """\
examples:
  tinyres summary resnet50
  tinyres summary resnet20 --shortcut B
  tinyres summary resnet18 --input 3x64x64
  tinyres summary resnet50 --batch-size 32      and what a training step needs
"""
BENCH_EXAMPLES = """\
examples:
  tinyres bench                       resnet20, batches of 128, all processors
  tinyres bench --model resnet56 --threads 1 --picture roofline.png
  tinyres bench --batch-size 512 --no-torch --json > bench.json

Every convolution of the model by itself, with its share of what this processor
can do at most; the whole training step; what batches, optimiser and metrics
take of it; and, if torch is installed, the same network there, in turns with
ours. Takes some minutes; let nothing else run.
"""
GRADCHECK_EXAMPLES = """\
examples:
  tinyres gradcheck                   every op, and blocks of residual networks
  tinyres gradcheck --op BatchNorm
  tinyres gradcheck --sweep steps.png

Holds each gradient against central differences, against complex steps, and
where the op is linear against the adjoint identity. If one is wrong, says of
which op, in which element, and perhaps why; the exit code is then 1.
"""

LAB_EXAMPLES = """\
examples:
  tinyres lab --list
  tinyres lab chain
  tinyres lab degradation --data cifar10 --out runs/degradation
  tinyres lab degradation --data cifar10 --full --seeds 5

Every lab writes results.json and picture.png into its folder, and says whether
the claim was reproduced; what that means stands at the top of its file. One that
was stopped goes on where it was when it is started again with the same settings.
"""

STEP_EXAMPLES = """\
examples:
  tinyres step chain                  three sigmoids: numbers to follow by hand
  tinyres step block                  a residual block, and its two ways
  tinyres step resnet20 --out step.html

Writes one HTML file that needs no network. From Python, and for networks of
your own: tinyres.viz.stepper.
"""
COURSE_EXAMPLES = """\
examples:
  tinyres course                      all exercises, lesson by lesson
  tinyres course relu_backward        what is to be done

They are answered in Python: from tinyres.course import check, then
check.relu_backward(my_relu_backward). What is solved is kept in course.json in
tinyres/ in the user's data folder, or in the file that $TINYRES_COURSE names.
"""
PREDICT_EXAMPLES = """\
examples:
  tinyres predict runs/resnet20 cat.jpg
  tinyres predict runs/resnet20 pictures/*.png --top 3 --out seen.png
  tinyres predict runs/resnet20 cat.jpg --json

Of a picture that is not square the middle is used, scaled to the size that the
network learnt from; what was done is said. The PNG shows every picture, what
the network sees of it, and bars for the likeliest classes.
"""
EXPORT_EXAMPLES = """\
examples:
  tinyres export runs/resnet20 model.onnx
  tinyres export runs/resnet20 model.onnx --checkpoint last

Needs the package onnx: pip install "tinyres[onnx]". The file is checked by it,
and run in onnxruntime where that is installed: its scores must be the model's.
It takes batches of any size, normalised as it says under "mean" and "std".
"""
CONVERT_EXAMPLES = """\
examples:
  tinyres convert resnet20-12fca82f.th resnet20.safetensors
  tinyres convert checkpoint.pth resnet18.safetensors --model resnet18_cifar
  tinyres convert resnet20.safetensors theirs.safetensors --to pytorch_resnet_cifar10

Knows the names of these, and takes ResNets with torchvision's names too:
  {namings}
A .pth (.pt, .th) is a pickle: torch must be installed, whose restricted reader
runs no code in it. From Python: tinyres.weights.load_weights(model, file).
"""


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(
        prog="tinyres",
        description="Residual networks and back-propagation from scratch, on NumPy.",
        epilog="Start with `tinyres train`. `tinyres COMMAND --help` says more.",
    )
    main_parser.add_argument("--version", action="version", version=f"tinyres {tinyres.__version__}")
    commands = main_parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_train(commands)
    add_eval(commands)
    add_summary(commands)
    add_bench(commands)
    add_gradcheck(commands)
    add_lab(commands)
    add_step(commands)
    add_course(commands)
    add_predict(commands)
    add_export(commands)
    add_convert(commands)
    return main_parser


def add_command(commands: Any, name: str, usage: str, command: Callable[..., int], text: str, examples: str) -> Any:
    added = commands.add_parser(
        name,
        usage=f"tinyres {name} {usage}",
        help=text[0].lower() + text[1:].rstrip("."),
        description=text,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added.set_defaults(command=command, parser=added)
    return added


def add_train(commands: Any) -> None:
    command = add_command(commands, "train", "[options]", train, "Train a network, and test it once.", TRAIN_EXAMPLES)

    what = command.add_argument_group("what to train")
    what.add_argument("--data", metavar="NAME", type=data_set, help=f"{', '.join(data.NAMES)} (default: shapes)")
    what.add_argument("--data-dir", metavar="DIR", help="where CIFAR lies already (default: it is downloaded once)")
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
    where.add_argument("--threads", metavar="N", type=int, help="how many compute (default: every core)")
    where.add_argument("--device", metavar="D", help="cpu or cuda (default: cpu)")
    where.add_argument("--batch-norm", metavar="B", type=one_of("batch norm", BATCH_NORMS), help=BATCH_NORM_HELP)
    where.add_argument("--precision", metavar="P", type=one_of("precision", PRECISIONS), help=PRECISION_HELP)

    output = command.add_argument_group("what is printed")
    output.add_argument("--quiet", action="store_true", help="the result and nothing else")
    output.add_argument("--json", action="store_true", help="the result as JSON; all else goes to stderr")


def add_eval(commands: Any) -> None:
    command = add_command(
        commands, "eval", "RUN_DIR [options]", evaluate, "Test a run's weights on the whole test set.", EVAL_EXAMPLES
    )
    command.add_argument("folder", metavar="RUN_DIR", type=Path, help="the run's folder")
    command.add_argument("--checkpoint", choices=("best", "last"), default="best", help="default: best")
    command.add_argument("--data-dir", metavar="DIR", help="where the data lie now (default: where they lay then)")
    command.add_argument("--threads", metavar="N", type=int, help="how many compute (default: as in training)")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def add_summary(commands: Any) -> None:
    text = "Show a model's layers, shapes, parameters and multiply-adds."
    command = add_command(
        commands,
        "summary",
        "MODEL [options]",
        summarise,
        text,
        f"models:\n{listed(models.names())}\n\n{SUMMARY_EXAMPLES}",
    )
    add_model_arguments(command, "model", "one of those below", metavar="MODEL")
    command.add_argument("--input", metavar="CxHxW", type=image_shape, help="default: 3x32x32 or 3x224x224, by model")
    command.add_argument("--batch-size", metavar="N", type=positive, help="also: the memory of a training step")


def add_bench(commands: Any) -> None:
    text = "Measure the speed, against the machine's peak and torch's."
    command = add_command(commands, "bench", "[options]", measure_speed, text, BENCH_EXAMPLES)
    names = one_of("model", models.names())
    command.add_argument("--model", metavar="NAME", type=names, default="resnet20", help="default: resnet20")
    command.add_argument("--batch-size", metavar="N", type=positive, default=128, help="default: 128")
    command.add_argument("--threads", metavar="N", type=positive, help="default: as many as there are processors")
    command.add_argument("--repeats", metavar="N", type=positive, default=10, help="timed calls of each (default: 10)")
    command.add_argument("--forward", action="store_true", help="the forward pass alone, no training step")
    command.add_argument("--no-torch", dest="torch", action="store_false", help="do not compare with torch")
    command.add_argument("--json", action="store_true", help="print everything that was measured as JSON")
    command.add_argument("--picture", metavar="PNG", type=Path, help="draw the roofline of the convolutions")


def add_gradcheck(commands: Any) -> None:
    text = "Prove every backward pass against its forward."
    command = add_command(commands, "gradcheck", "[options]", check_gradients, text, GRADCHECK_EXAMPLES)
    command.add_argument("--op", metavar="NAME", help="one op or network alone, such as Conv2d (default: all)")
    command.add_argument("--json", action="store_true", help="print the errors as JSON")
    command.add_argument("--sweep", metavar="PNG", type=Path, help="draw the error against the step size")


def add_lab(commands: Any) -> None:
    text = "Run an experiment: does what is claimed of residual networks hold?"
    command = add_command(commands, "lab", "NAME [options]", lab, text, LAB_EXAMPLES)
    command.add_argument("name", metavar="NAME", nargs="?", type=one_of("lab", labs.NAMES), help="one of --list")
    command.add_argument("--list", action="store_true", help="all labs, and how long they take")
    command.add_argument("--full", action="store_true", help="the large run, instead of one of a few minutes")
    command.add_argument("--out", metavar="DIR", type=Path, help="default: runs/lab-NAME")
    command.add_argument("--data", metavar="NAME", type=data_set, default="shapes", help="default: shapes")
    command.add_argument("--data-dir", metavar="DIR", help="where CIFAR lies already (default: it is downloaded once)")
    command.add_argument("--seed", metavar="S", type=int, default=0, help="default: 0")
    command.add_argument("--seeds", metavar="N", type=positive, help="repeat what depends on chance N times")
    command.add_argument("--epochs", metavar="N", type=positive, help="train for so long instead of the lab's own time")
    command.add_argument(
        "--images", metavar="N", type=positive, help="train on so many images instead of the lab's own"
    )
    command.add_argument("--half", action="store_true", help="pictures at half their size: four times as fast")
    command.add_argument("--nets", metavar="DIR", help="keep trained nets there, for labs that train the same ones")
    command.add_argument("--threads", metavar="N", type=positive, help="how many compute (default: every core)")
    command.add_argument("--quiet", action="store_true", help="the result and nothing else")
    command.add_argument("--json", action="store_true", help="the result as JSON; all else goes to stderr")


def add_step(commands: Any) -> None:
    text = "Follow a computation op by op, forward and backward, in a browser."
    command = add_command(commands, "step", "EXAMPLE [options]", step, text, STEP_EXAMPLES)
    command.add_argument("example", metavar="EXAMPLE", type=one_of("example", EXAMPLES), help="one of those below")
    command.add_argument("--out", metavar="HTML", type=Path, help="default: step-EXAMPLE.html")


def add_course(commands: Any) -> None:
    text = "Show the exercises, and which of them are solved."
    command = add_command(commands, "course", "[NAME]", course, text, COURSE_EXAMPLES)
    command.add_argument("name", metavar="NAME", nargs="?", help="an exercise: show its task")


def add_predict(commands: Any) -> None:
    text = "Say what a run's network takes pictures for."
    command = add_command(commands, "predict", "RUN_DIR IMAGE … [options]", predict, text, PREDICT_EXAMPLES)
    command.add_argument("folder", metavar="RUN_DIR", type=Path, help="the run's folder")
    command.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="PNG, JPEG, BMP, GIF or WebP")
    command.add_argument("--checkpoint", choices=("best", "last"), default="best", help="default: best")
    command.add_argument("--top", metavar="N", type=positive, default=5, help="how many classes (default: 5)")
    picture = Path("prediction.png")
    command.add_argument("--out", metavar="PNG", type=Path, default=picture, help=f"default: {picture}")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def add_export(commands: Any) -> None:
    text = "Write a run's network as ONNX, for other programs."
    command = add_command(commands, "export", "RUN_DIR OUT.onnx [options]", export_model, text, EXPORT_EXAMPLES)
    command.add_argument("folder", metavar="RUN_DIR", type=Path, help="the run's folder")
    command.add_argument("out", metavar="OUT.onnx", type=Path, help="the file to write")
    command.add_argument("--checkpoint", choices=("best", "last"), default="best", help="default: best")
    command.add_argument("--json", action="store_true", help="print what was written as JSON")


def add_convert(commands: Any) -> None:
    text = "Rename weights from other repositories to ours, or back."
    namings = "\n  ".join(f"{key:<23} {naming.repository}" for key, naming in weights.NAMINGS.items())
    examples = CONVERT_EXAMPLES.format(namings=namings)
    usage = "FILE OUT.safetensors [options]"
    command = add_command(commands, "convert", usage, convert_weights, text, examples)
    command.add_argument("file", metavar="FILE", type=Path, help=".pth, .safetensors or .npz")
    command.add_argument("out", metavar="OUT.safetensors", type=Path, help="the file to write; .npz works too")
    command.add_argument(
        "--model", metavar="NAME", type=one_of("model", models.names()), help="default: found from names and shapes"
    )
    command.add_argument("--zeros", choices=("behind", "both"), help="of shortcuts A (default: as the names suggest)")
    command.add_argument("--to", metavar="NAMES", type=one_of("naming", weights.NAMINGS), help="default: ours")


def add_model_arguments(group: Any, name: str, text: str, metavar: str = "NAME") -> None:
    group.add_argument(name, metavar=metavar, type=one_of("model", models.names()), help=text)
    group.add_argument("--shortcut", metavar="S", type=one_of("shortcut", "ABC"), help=SHORTCUT_HELP)


def recipe_default(setting: str) -> str:
    """default: 0.9, or where the recipes differ: fast: 0.3, paper: 0.1"""
    fast, paper = (recipe.get(setting, f"{recipe.get('steps')} steps") for recipe in RECIPES.values())
    return f"default: {fast}" if fast == paper else f"fast: {fast}, paper: {paper}"


def listed(names: Sequence[str], width: int = 72) -> str:
    from textwrap import fill

    return fill(", ".join(names), width, initial_indent="  ", subsequent_indent="  ")


def one_of(kind: str, names: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of these names, or an error that offers the one that was perhaps meant."""
    known = list(names)

    def check(name: str) -> str:
        if name not in known:
            raise argparse.ArgumentTypeError(unknown(kind, name, known))
        return name

    return check


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown {kind} {name!r}; {hint}There are: {', '.join(known)}"


def data_set(name: str) -> str:
    return name if name.startswith("folder:") else one_of("data set", data.NAMES)(name)


def several(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"expected 2 or more, got {text}")
    return int(text)


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return int(text)


def image_shape(text: str) -> tuple[int, ...]:
    parts = text.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected channels, height and width, as in 3x32x32, got {text}")
    return tuple(int(part) for part in parts)
