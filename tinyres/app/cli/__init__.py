"""The command line: reads arguments, calls the library, returns exit codes. Each command is in the file of its name.

0: done    1: it failed, and the message says why    2: the command line is wrong    130: stopped by Ctrl-C or SIGTERM
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import tinyres
from tinyres.app.cli import bench, convert, course, eval, export, gradcheck, lab, predict, runs, step, summary, train
from tinyres.app.cli.ranks import FAILURES, quiet_unless_first
from tinyres.scale.parallel import ParallelError, ranks_started

# In the order of --help.
COMMANDS = (train, runs, eval, summary, bench, gradcheck, lab, step, course, predict, export, convert)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code. SystemExit for --help, --version and a wrong command line."""
    with quiet_unless_first():
        arguments = parser().parse_args(argv)
        try:
            if arguments.command is not train.run and ranks_started() > 1:
                raise ParallelError("only `tinyres train` runs on several processes: leave mpiexec out")
            return arguments.command(arguments)
        except FAILURES as error:
            print(f"tinyres: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ntinyres: stopped", file=sys.stderr)
            return 130


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(
        prog="tinyres",
        description="Residual networks and back-propagation from scratch, on NumPy.",
        epilog="Start with `tinyres train`. `tinyres COMMAND --help` says more.",
    )
    main_parser.add_argument("--version", action="version", version=f"tinyres {tinyres.__version__}")
    commands = main_parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return main_parser
