"""A list of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tinyres.nn.module import Module


class ModuleList(Module):
    """A list of modules whose parameters are found. It has no forward: index it, or loop over it."""

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: int) -> Module:
        return list(self.children())[index]
