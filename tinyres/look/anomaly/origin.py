"""Finds where the program called an op: the line, and the layer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from traceback import FrameSummary
from types import FrameType
from typing import NamedTuple

from tinyres.nn import Module

# Lines in these files are left out: everyone knows that ops/conv2d.py, called by nn/conv.py, makes a convolution.
TINYRES = str(Path(__file__).parents[2])
WATCHERS = os.path.join("look", "anomaly"), os.path.join("look", "viz", "recorder.py")  # they call origin()
MACHINERY = tuple(os.path.join(TINYRES, part) for part in ("autograd.py", "nn", "ops", *WATCHERS))


class Origin(NamedTuple):
    """lines: the line of the model; if the model is one of tinyres/models, also the line of the program that called it
    modules: those whose forward is running, the outermost first
    """

    lines: tuple[FrameSummary, ...]
    modules: tuple[Module, ...]

    def details(self) -> Iterator[tuple[str, str]]:
        """(label, text) of each line of an AnomalyError's message."""
        if self.modules:
            yield "layer", self.layer()
        for line in self.lines:
            yield "line", f"{line.filename}:{line.lineno}  {line.line}"

    def layer(self) -> str:
        """ "layer1.0.conv1 of ResNet" """
        names = [
            next((name for name, below in outer.named_modules() if below is inner), type(inner).__name__)
            for outer, inner in pairwise(self.modules)
        ]
        outermost = type(self.modules[0]).__name__
        return f"{'.'.join(names)} of {outermost}" if names else outermost


def origin() -> Origin:
    """The origin of the op that is being applied; an observer calls it."""
    lines: list[FrameSummary] = []
    modules: list[Module] = []
    program_reached = False
    for frame in _callers():  # do not keep frames: their variables hold a training step's arrays
        code = frame.f_code
        if code is Module.__call__.__code__:
            modules.append(frame.f_locals["self"])
        is_program = not _is_in(code.co_filename, TINYRES) and not code.co_filename.startswith("<frozen ")
        is_model = not lines and not _is_in(code.co_filename, *MACHINERY)
        if not program_reached and (is_model or is_program):
            lines.append(FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False))
            program_reached = is_program
    return Origin(tuple(lines), tuple(reversed(modules)))


def _callers() -> Iterator[FrameType]:
    """The running frames, from origin's caller outwards."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_in(file: str, *places: str) -> bool:
    return any(file == place or file.startswith(place + os.sep) for place in places)
