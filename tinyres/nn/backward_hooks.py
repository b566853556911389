"""Hooks that see the gradients which pass through a module.

What arrives at a module's output is the gradient that everything after it has sent back. What leaves at its inputs is
the module's own part: where the same tensor goes another way as well, as around a residual block, that way's part is
not in it. So every tensor passes a door on its way in and out, an op that does nothing, and the doors have hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinyres.autograd import Array, Op, Tensor

if TYPE_CHECKING:
    from tinyres.nn.module import Module

BackwardHook = Callable[["Module", tuple[Array | None, ...], tuple[Array]], None]


class Door(Op):
    """y = x        gx = gy"""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, gy: Array) -> Array:
        return gy


class WatchedCall:
    """One call of a module that has backward hooks: gathers the gradients at its doors, then calls the hooks."""

    def __init__(self, module: Module, hooks: tuple[BackwardHook, ...]):
        self.module, self.hooks = module, hooks

    def enter(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs, those that need a gradient each through a door."""
        self.grad_input: list[Array | None] = [None] * len(inputs)
        wanted = [isinstance(x, Tensor) and x.requires_grad for x in inputs]
        self.waiting_for = 
        return tuple(self._through_a_door(i, x) for i, x in enumerate(inputs))
