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

# Whoever reads a message knows that a convolution is made in ops/conv2d.py, called by nn/layers.py.
TINYRES = Path(__file__).parents[1]
MACHINERY = tuple(TINYRES / part for part in ("anomaly", "autograd.py", "nn", "ops"))


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
    frames = list(_frames())
    modules = [frame.f_locals["self"] for frame in frames if frame.f_code is Module.__call__.__code__]
    of_model = next((frame for frame in frames if not _stands_in(frame, *MACHINERY)), None)
    of_program = next((frame for frame in frames if not _stands_in(frame, TINYRES)), None)
    lines = dict.fromkeys(frame for frame in (of_model, of_program) if frame is not None)
    return Origin(tuple(map(_line, lines)), tuple(reversed(modules)))


def _frames() -> Iterator[FrameType]:
    """Those that are running, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _line(frame: FrameType) -> FrameSummary:
    code = frame.f_code
    return FrameSummary(code.co_filename, frame.f_lineno, code.co_name, lookup_line=False)  # reading it can wait


def _stands_in(frame: FrameType, *places: Path) -> bool:
    file = frame.f_code.co_filename
    return any(file == str(place) or file.startswith(f"{place}{os.sep}") for place in places)
