"""Sequential, which applies modules one after the other, and Identity, which does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinyres.nn.module import Module


class Sequential(Module):
    """Modules applied one after the other. Sequential(a, b), or Sequential(OrderedDict(first=a, second=b))."""

    def __init__(self, *modules: Any):
        super().__init__()
        only = modules[0] if len(modules) == 1 else None
        named = only.items() if isinstance(only, dict) else ((str(k), m) for k, m in enumerate(modules))
        for name, module in named:
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(list(self.children()))

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, index: Any) -> Module:
        """A module, or for a slice a Sequential of several."""
        chosen = list(self.children())[index]
        return Sequential(*chosen) if isinstance(index, slice) else chosen


class Identity(Module):
    """x itself. Accepts and ignores any arguments, so it can replace any layer."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x
