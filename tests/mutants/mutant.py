"""What a mutant is: a module's source with one thing wrong in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Protocol

from mutants.code import find, sources, with_code


class Mutant(Protocol):
    @property
    def name(self) -> str:
        """A sentence that says what is wrong."""

    @property
    def module(self) -> str:
        """The name of the module that has the bug, such as tinyres.ops.exp."""

    def source(self) -> str:
        """That module's source with the bug in it."""


@dataclass(frozen=True)
class Planted:
    """A mutant by hand: in the class, method, function or constant called `where`, `new` replaces `old`.

    old and new: an expression, or statements; new may be "pass". code.find explains how the place is found.
    """

    name: str
    where: str
    old: str
    new: str

    @property
    def module(self) -> str:
        return find(self.where, self.old, sources()).module

    def source(self) -> str:
        place = find(self.where, self.old, sources())
        return with_code(sources()[place.module], place.nodes, self.new)


@dataclass(frozen=True)
class Unchanged:
    """A module without a bug, which must survive."""

    module: str

    @property
    def name(self) -> str:
        return f"{self.module} as it is"

    def source(self) -> str:
        return sources()[self.module] + "# a comment more\n"


@dataclass(frozen=True)
class Compiled(Planted):
    """One in a compiled kernel. Only tests with `seen_by` in their names try it: others would have to compile too.

    slow: compiling takes so long that only `pytest -m slow` tries it.
    """

    seen_by: str
    slow: bool = False


def rung_of(module: str) -> str:
    """The rung of the ladder on which a bug in that module can be seen: its own, or the array rung if it has none."""
    return next((rung for rung in ("reference", "cpu") if f".{rung}." in module), "array")


class Mutation(MetaPathFinder):
    """Imports the module from `source`, and not from its file. It must be installed before the module is imported."""

    def __init__(self, module: str, source: str):
        assert module not in sys.modules, f"{module} was imported before it could be mutated"
        self.module, self.source = module, source

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == self.module else None
        if spec is not None and spec.origin is not None:
            spec.loader = SourceLoader(name, spec.origin, self.source)
        return spec


class SourceLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str):
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)
