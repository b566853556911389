"""Module: a layer, or a network made of them, that knows its parameters.

There is no registry. A module's parameters, buffers and sub-modules are its attributes, and the methods below look
for them: in the order in which __init__ set them, under the names that it gave them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.device import to_device
from tinyres.modes import Removable
from tinyres.nn.backward_hooks import WatchedCall
from tinyres.nn.state import load_state
from tinyres.ops.to import as_target


class Parameter(Tensor):
    """A tensor that training changes."""

    def __init__(self, data: Any, requires_grad: bool = True):
        super().__init__(data, requires_grad)


class Buffer(Tensor):
    """A tensor that belongs to a module's state but has no gradient: batch norm's running statistics."""


class Module:
    """Base of all layers and networks. Set Parameters and Modules as attributes in __init__, and write forward."""

    def __init__(self) -> None:
        self.training = True
        self.forward_hooks: dict[object, Callable[..., Any]] = {}
        self.backward_hooks: dict[object, Callable[..., None]] = {}

    def forward(self, *inputs: Any, **named: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward; write one")

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        watched = WatchedCall(self, self.backward_hooks) if self.backward_hooks else None
        if watched:
            inputs = watched.enter(inputs)
        output = self.forward(*inputs, **named)
        for hook in tuple(self.forward_hooks.values()):
            changed = hook(self, inputs, output)
            output = output if changed is None else changed
        return watched.leave(output) if watched else output

    def register_forward_hook(self, hook: Callable[..., Any]) -> Removable:
        """Call hook(module, inputs, output) after every forward; what it returns, unless None, replaces the output."""
        return Removable(self.forward_hooks, hook)

    def register_full_backward_hook(self, hook: Callable[..., None]) -> Removable:
        """Call hook(module, grad_input, grad_output) in backward, once for each call of the module.

        grad_output: a tuple with the output's gradient. grad_input: for every positional input the gradient that came
        through this module, or None. The hook returns None; in torch it may also replace the gradients.
        """
        return Removable(self.backward_hooks, hook)

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        setattr(self, name, None if tensor is None else Buffer(tensor))

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        setattr(self, name, parameter)

    def add_module(self, name: str, module: Module | None) -> None:
        setattr(self, name, module)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes of this one."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with its path: ("layer1.0.conv1", Conv2d)."""
        seen: set[Module] = set()
        for path, module in self._all_paths(prefix):
            if module not in seen:
                seen.add(module)
                yield path, module

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter in this module and below, each once, with its path: ("layer1.0.conv1.weight", …)."""
        return self._named_tensors(Parameter)

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Every Buffer in this module and below, each once, with its path."""
        return self._named_tensors(Buffer)

    def buffers(self) -> Iterator[Buffer]:
        return (buffer for _, buffer in self.named_buffers())

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "layer1.0.conv1". AttributeError: there is none."""
        module = self
        for k, name in enumerate(path := target.split(".") if target else []):
            child = vars(module).get(name)
            if not isinstance(child, Module):
                raise AttributeError(f"{type(self).__name__} has no module at {'.'.join(path[: k + 1])!r}")
            module = child
        return module

    def set_submodule(self, target: str, module: Module) -> None:
        """Replace the module at that path by another. AttributeError: there is none."""
        self.get_submodule(target)
        parent, _, name = target.rpartition(".")
        setattr(self.get_submodule(parent), name, module)

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call function(module) on this module and all below it, the innermost first."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Switch to training (batch statistics, dropout), or with mode=False to evaluation."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation: running statistics, no dropout."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Freeze (False) or thaw all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set all parameters' gradients to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, device: Any = None, dtype: Any = None) -> Module:
        """Move to a device ("cpu", "cuda") and convert floating-point parameters and buffers to a dtype, in place."""
        device, dtype = as_target(device, dtype)
        if dtype is not None and dtype.kind not in "fc":
            raise TypeError(f"Module.to: expected a floating-point dtype, got {dtype}")
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.data = _moved(tensor.data, device, dtype)
            tensor.grad = None if tensor.grad is None else _moved(tensor.grad, device, dtype)
        return self

    def double(self) -> Module:
        return self.to(dtype="float64")

    def float(self) -> Module:
        return self.to(dtype="float32")

    def state_dict(self) -> OrderedDict[str, np.ndarray]:
        """Copies of all parameters and buffers under their paths, as NumPy arrays: what a checkpoint holds."""
        return OrderedDict((name, tensor.numpy().copy()) for name, tensor in self._state().items())

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Write the values of `state` into the parameters and buffers, which keep their dtype and device.

        strict: refuse missing and unknown names. ValueError: a name or a shape does not fit; then nothing is changed.
        """
        load_state(type(self).__name__, self._state(), state, strict)

    def _state(self) -> dict[str, Parameter | Buffer]:
        return {
            join(path, name): value
            for path, module in self._all_paths()
            for kind in (Parameter, Buffer)
            for name, value in vars(module).items()
            if isinstance(value, kind)
        }

    def _named_tensors(self, kind: type) -> Iterator[tuple[str, Any]]:
        seen: set[Tensor] = set()
        for name, value in self._state().items():
            if isinstance(value, kind) and value not in seen:
                seen.add(value)
                yield name, value

    def _all_paths(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """As named_modules, but a module that is used twice appears under both its paths."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child._all_paths(join(prefix, name))

    def extra_repr(self) -> str:
        """The text between the brackets of a layer's line in `print(model)`."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n  ".join([f"{type(self).__name__}(", *children]) + "\n)"


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _moved(array: Array, device: str | None, dtype: np.dtype | None) -> Array:
    if dtype is not None and array.dtype.kind in "fc":  # integer buffers, such as num_batches_tracked, stay integers
        array = array.astype(dtype, copy=False)
    return array if device is None else to_device(array, device)
