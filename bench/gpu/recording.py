"""Records which kernels of a rung are called, and with which arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tinyres_kernels.contract import Kernels

KERNELS = [name for name in vars(Kernels) if not name.startswith("_")]
CONVOLUTIONS = "conv2d", "conv2d_grad_x", "conv2d_grad_w"  # they can compute in TF32 and bf16: tinyres_kernels.products


class Call(NamedTuple):
    kernel: str
    arguments: tuple[Any, ...]

    def on(self, rung: Any, change: Callable[[Any], Any] = lambda argument: argument) -> tuple[Any, ...]:
        """What this rung's kernel returns for these arguments, each passed through `change`.

        A kernel that returns nothing writes into its arguments; then the result is the arrays among them.
        """
        given = tuple(map(change, self.arguments))
        found = getattr(rung, self.kernel)(*given)
        if found is None:
            return tuple(a for a in given if is_array(a))
        return found if isinstance(found, tuple) else (found,)


@contextmanager
def recorded(rung: Any) -> Iterator[list[Call]]:
    """Inside the block, every call of this rung's kernels is added to the list."""
    calls: list[Call] = []
    own = {name: getattr(rung, name) for name in KERNELS}

    def noting(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(Call(name, arguments))
            return own[name](*arguments)

        return call

    for name in own:
        setattr(rung, name, noting(name))
    try:
        yield calls
    finally:
        for name, function in own.items():
            setattr(rung, name, function)


def is_array(argument: Any) -> bool:
    return hasattr(argument, "shape") and hasattr(argument, "strides")
