"""From the command line to a run's settings."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

from tinyres.app.training import Settings

MAY_CHANGE = ("data_dir", "threads", "device", "tensorboard")  # with --resume: not what a run computes, but where


def chosen_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line names."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(Settings)}
    return {name: value for name, value in given.items() if value is not None}


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
    try:
        settings = replace(settings, **{name: value for name, value in chosen.items() if name in MAY_CHANGE})
    except ValueError as error:  # such as a run in TF32 that is to go on without a GPU
        arguments.parser.error(f"argument --{error}")
    return settings
