"""From the command line to a run's settings."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

from tinyres.app.training import Settings

MAY_CHANGE = ("data_dir", "threads", "device", "tensorboard")  # with --resume; these do not change the results


def chosen_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that are given on the command line."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(Settings)}
    return {name: value for name, value in given.items() if value is not None}


def with_flags(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """A run's settings with the changes that the command line may make; any other difference is an error."""
    chosen = chosen_settings(arguments)
    for name, value in chosen.items():
        own = getattr(settings, name)
        if name not in MAY_CHANGE and value != own:
            flag = name.replace("_", "-")
            arguments.parser.error(
                f"argument --{flag}: {value} contradicts the run, which began with {own}: "
                f"leave --{flag} out, or start a new run"
            )
    try:
        settings = replace(settings, **{name: value for name, value in chosen.items() if name in MAY_CHANGE})
    except ValueError as error:  # for example a TF32 run that should continue without a GPU
        arguments.parser.error(f"argument --{error}")
    return settings
