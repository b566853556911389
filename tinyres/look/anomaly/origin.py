"""Where in the program an op was asked for: the line, and the layer."""

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

# Whoever reads a message knows that a convolution is made in ops/conv2d.py, called by nn/conv.py.
TINYRES = str(Path(__file__).parents[2])
WATCHERS = os.path.join("look", "anomaly"), os.path.join("look", "viz", "recorder.py")  # they ask
MACHINERY = tuple(os.path.join(TINYRES, part) for part in ("autograd.py", "nn", "ops", *WATCHERS))


class Origin(NamedTuple):
    """lines: the model's, and where that is one of tinyres/models, the program's that called it

    modules: whose forward is running, the outermost first
    """

    lines: tuple[FrameSummary, ...]
    modules: tuple[Module, ...]

    def details(self) -> Iterator[tuple[str, str]]:
        """For AnomalyError."""
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
    """Of the op that is being applied: for an observer to call."""
    lines: list[FrameSummary] = []
    modules: list[Module] = []
    program_reached = False
    for frame in _callers():  # not kept: a frame holds all its local variables, a training step's arrays
        code = frame.f_code
        if code is Module.__call__.__code__:
            modules.append(frame.f_locals["self"])
        is_program = not _stands_in(code.co_filename, TINYRES) and not code.co_filename.startswith("<frozen ")
        is_model = not lines and not _stands_in(code.co_filename, *MACHINERY)
        if not program_reached and (is_model or is_program):
            lines.append(FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False))
            program_reached = is_program
    return Origin(tuple(lines), tuple(reversed(modules)))


def _callers() -> Iterator[FrameType]:
    """What is running, from origin's caller outwards."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _stands_in(file: str, *places: str) -> bool:
    return any(file == place or file.startswith(place + os.sep) for place in places)
