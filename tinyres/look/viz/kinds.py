"""What the stepper's page says of a kind of op: its formulas, and its backward down to the loops."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import tinyres_kernels.reference
from tinyres.autograd import Op

GRADIENT = re.compile(r"(?:^|  )g\w*(?:\[[^]]*\])?(?: =|:) ", re.MULTILINE)  # gx = …, gw[o,i] = …, gx: …
KERNEL = re.compile(r"\.(\w+)\(")


def kind_of(op: Op) -> dict[str, Any]:
    """For JSON. formula: the first line of the op's docstring; gradients: its paragraphs that say what gx is;
    text: all of it; backward: its source; kernels: what that calls, as loops."""
    text = inspect.cleandoc(type(op).__doc__ or "")
    paragraphs = text.split("\n\n")
    gradients = [part for part in paragraphs if GRADIENT.search(part)]
    backward = source_of(type(op).backward)
    called = dict.fromkeys(KERNEL.findall(backward["text"]))
    loops = [getattr(tinyres_kernels.reference, name, None) for name in called]
    return {
        "formula": paragraphs[0],
        "gradients": "\n\n".join(gradients) if gradients != paragraphs[:1] else "",
        "text": text,
        "backward": backward,
        "kernels": [source_of(loop) for loop in loops if loop is not None],
    }


def source_of(function: Any) -> dict[str, Any]:
    """text, and where it stands: file and line, below the folder that its package lies in."""
    name = function.__name__
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:  # typed in at a prompt
        return {"name": name, "text": "(its source is in no file)", "file": "", "line": 1}
    return {"name": name, "text": textwrap.dedent("".join(lines)), "file": file_of(function), "line": first}


def file_of(function: Any) -> str:
    """tinyres/ops/add.py, or the name alone where there is no package: whose machine it is concerns no page."""
    path = Path(inspect.getfile(function))
    package = sys.modules.get(function.__module__.partition(".")[0])
    if package is None or not getattr(package, "__file__", None) or not hasattr(package, "__path__"):
        return path.name
    return path.relative_to(Path(str(package.__file__)).parents[1]).as_posix()
