"""Hooks that see the gradients which pass through a module.

grad_output is the gradient that everything after the module has sent back. grad_input is only the module's own part of
the input's gradient: where the same tensor takes another path too, as around a residual block, that path's part is not
in it. So every tensor goes in and out through a Door, an op that changes nothing, and the doors have the hooks.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tinyres.autograd import Array, Op, Tensor


class Door(Op):
    """y = x        gx = gy"""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, gy: Array) -> Array:
        return gy


class WatchedCall:
    """One call of a module that has backward hooks: gathers the gradients at its doors, then calls the hooks.

    module: passed to the hooks        hooks: called as hook(module, grad_input, grad_output)
    """

    def __init__(self, module: Any, hooks: Mapping[object, Callable[..., None]]):
        self.module, self.hooks = module, hooks

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
        for hook in tuple(self.hooks.values()):
            if hook(self.module, tuple(self.grad_input), self.grad_output) is not None:
                raise TypeError(
                    "a backward hook on a module must return None; to change a gradient use Tensor.register_hook"
                )


def _needs_gradient(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad
