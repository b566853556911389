"""Experiments on residual networks, one per file: `tinyres lab --list` lists them, `tinyres lab NAME` runs one.

A lab is an ordinary module. Its docstring states the claim, its source, the formula, and the condition under which the
claim counts as reproduced; the condition was written before the lab first ran. lab.py defines what else a lab has, and
workbench.py holds the tools that it works with.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import cast

from tinyres.study.labs.lab import Lab, Verdict, perform
from tinyres.study.labs.workbench import Workbench

NAMES = (
    "chain",
    "gradient-flow",
    "degradation",
    "convergence",
    "identity",
    "symmetry",
    "lesion",
    "responses",
    "shattered",
    "paths",
    "one-by-one",
    "shortcuts",
    "bottleneck",
    "gates",
    "landscape",
)

__all__ = ["NAMES", "Lab", "Verdict", "Workbench", "find", "perform"]


def find(name: str) -> Lab:
    """The lab with this name. ValueError: there is none."""
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"unknown lab {name!r}; {hint}The labs are: {', '.join(NAMES)}")
    return cast(Lab, import_module(f"tinyres.study.labs.{name.replace('-', '_')}"))
