"""The text of a function or class, as it is in its file."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Sequence
from typing import Any


def source_of(function: Any) -> str:
    """Without the decorator that made an exercise of it."""
    text = textwrap.dedent(inspect.getsource(function))
    found = re.search(r"^(def|class) ", text, re.MULTILINE)
    return text[found.start() :].rstrip() if found else text.rstrip()


def stub_of(function: Any) -> str:
    """def name(parameters): and its docstring, with … for a body."""
    doc = textwrap.indent(inspect.getdoc(function) or "", "    ").strip()
    end = "\n    " if "\n" in doc else ""
    return f'def {function.__name__}{inspect.signature(function)}:\n    """{doc}{end}"""\n    ...'


def with_library(solution: str, library: Sequence[Any]) -> str:
    """A solution, and the library's own code for the same."""
    parts = [solution]
    for thing in library:
        parts.append(f"# in the library: {thing.__module__}.{thing.__qualname__}\n{source_of(thing)}")
    return "\n\n".join(parts)
