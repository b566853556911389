"""What the stepper's page shows of a kind of op: its formulas, and the source of its backward down to the loops."""

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
    """A dict for JSON.

    formula: the first paragraph of the op's docstring; gradients: its paragraphs about gx; text: all of it
    backward: its source; kernels: the loops of the kernels that backward calls
    """
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
    """The source of a function: its name, text, file (beginning with its package) and first line."""
    name = function.__name__
    try:
        lines, first = inspect.getsourcelines(function)
    except OSError:  # it was typed at a prompt
        return {"name": name, "text": "(its source is in no file)", "file": "", "line": 1}
    return {"name": name, "text": textwrap.dedent("".join(lines)), "file": file_of(function), "line": first}


def file_of(function: Any) -> str:
    """The path that begins with the package, such as tinyres/ops/add.py; without a package the file's name alone.

    So no page contains the folders of the machine that made it.
    """
    path = Path(inspect.getfile(function))
    package = sys.modules.get(function.__module__.partition(".")[0])
    if package is None or not getattr(package, "__file__", None) or not hasattr(package, "__path__"):
        return path.name
    return path.relative_to(Path(str(package.__file__)).parents[1]).as_posix()
