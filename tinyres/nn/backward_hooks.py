"""Hooks that see the gradients which pass through a module.

What arrives at a module's output is the gradient that everything after it has sent back. What leaves at its inputs is
the module's own part: where the same tensor goes another way as well, as around a residual block, that way's part is
not in it. So every tensor goes in and out by a door, an op that does nothing, and the doors have hooks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tinyres.autograd import Array, Op, Tensor

if TYPE_CHECKING:
    from tinyres.nn.module import Module


class Door(Op):
    """y = x        gx = gy"""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, gy: Array) -> Array:
        return gy


class WatchedCall:
    """One call of a module that has backward hooks: gathers the gradients at its doors, then tells the hooks."""

    def __init__(self, module: Module):
        self.module = module

    def enter(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs, those that need a gradient each behind a door."""
        inside = tuple(Door()(x) if _needs_gradient(x) else x for x in inputs)
        watched = [i for i, x in enumerate(inside) if _needs_gradient(x)]  # none under no_grad
        for i in watched:
            inside[i].register_hook(partial(self._leaves, i))
        self.inputs, self.watched = len(inputs), len(watched)
        self._begin()
        return inside

    def leave(self, output: Any) -> Tensor:
        """The output, behind a door."""
        if not isinstance(output, Tensor):
            name = type(self.module).__name__
            raise TypeError(f"{name}: a module with backward hooks must return a Tensor, got {type(output).__name__}")
        outside = Door()(output)
        outside.register_hook(self._arrives)
        return outside

    def _begin(self) -> None:
        self.grad_output: tuple[Array | None] = (None,)
        self.grad_input: list[Array | None] = [None] * self.inputs
        self.missing = self.watched

    def _arrives(self, gradient: Array) -> None:
        self._begin()
        self.grad_output = (gradient,)
        self._tell_when_complete()

    def _leaves(self, i: int, gradient: Array) -> None:
        self.grad_input[i] = gradient
        self.missing -= 1
        self._tell_when_complete()

    def _tell_when_complete(self) -> None:
        if self.missing:
            return
        for hook in tuple(self.module.backward_hooks.values()):
            if hook(self.module, tuple(self.grad_input), self.grad_output) is not None:
                raise TypeError(
                    "a backward hook on a module looks on and returns None; Tensor.register_hook can change"
                )


def _needs_gradient(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad
