"""Output that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinyres.look.compiling import must_compile

if TYPE_CHECKING:
    from rich.console import Console


def progress_console(arguments: argparse.Namespace) -> Console:
    from rich.console import Console

    return Console(stderr=arguments.json, quiet=arguments.quiet)


def show(result: dict[str, Any], arguments: argparse.Namespace, text: Callable[[dict[str, Any]], str]) -> None:
    print(json.dumps(result) if arguments.json else text(result))


def announce_compiling() -> None:
    if must_compile():
        print("compiling the kernels for this machine, which takes half a minute, once", file=sys.stderr)
