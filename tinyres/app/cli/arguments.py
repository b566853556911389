"""Shared by the commands: how a command is added to the parser, and the types of arguments."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from tinyres import data, models

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what add_subparsers returns

SHORTCUT_HELP = "A: zeros, B: 1×1 convolutions where the shape changes, C: everywhere (default: the model's own)"


def add_command(
    commands: Commands, name: str, usage: str, command: Callable[..., int], text: str, examples: str
) -> argparse.ArgumentParser:
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


def add_model_arguments(group: argparse._ActionsContainer, name: str, text: str, metavar: str = "NAME") -> None:
    group.add_argument(name, metavar=metavar, type=one_of("model", models.names()), help=text)
    group.add_argument("--shortcut", metavar="S", type=one_of("shortcut", "ABC"), help=SHORTCUT_HELP)


def one_of(kind: str, names: Iterable[str]) -> Callable[[str], str]:
    """An argument type that accepts these names only; its error suggests the nearest one."""
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
