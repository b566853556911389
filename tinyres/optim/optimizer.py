"""The base of the optimisers, which change parameters by their gradients; torch's names and arithmetic."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.device import to_device


class Optimizer:
    """Parameters in groups, each group with its own settings, and what the optimiser remembers of each parameter.

    parameters: Tensors, or dicts such as {"params": [...], "weight_decay": 0} for groups with settings of their own.
    """

    def __init__(self, parameters: Iterable[Any], **settings: Any):
        given = list(parameters)
        if not given:
            raise ValueError(f"{type(self).__name__}: got no parameters; pass model.parameters()")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups: list[dict[str, Any]] = [{**settings, **g, "params": list(g["params"])} for g in groups]
        self.state: dict[Tensor, dict[str, Array]] = {}
        for group in self.param_groups:
            if group["lr"] < 0:
                raise ValueError(f"{type(self).__name__}: expected a learning rate of 0 or more, got {group['lr']}")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; call it before each backward, which adds to them. They are always set to None."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, parameter.grad, self.state.setdefault(parameter, {}), group)

    def update(self, parameter: Tensor, g: Array, state: dict[str, Array], group: dict[str, Any]) -> None:
        """Change one parameter, whose gradient is g. `state` is what earlier steps have kept for it; empty at first."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Array]:
        """What the optimiser remembers, as arrays named "3.momentum": the parameter's number and the memory's name."""
        everyone = [parameter for group in self.param_groups for parameter in group["params"]]
        return {f"{k}.{name}": a for k, p in enumerate(everyone) for name, a in self.state.get(p, {}).items()}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Remember what another optimiser's state_dict holds."""
        everyone = [parameter for group in self.param_groups for parameter in group["params"]]
        self.state = {}
        for key, array in state.items():
            number, _, name = key.partition(".")
            if not number.isdigit() or int(number) >= len(everyone):
                raise ValueError(f"{type(self).__name__}: this state has {key!r}; there are {len(everyone)} parameters")
            parameter = everyone[int(number)]
            self.state.setdefault(parameter, {})[name] = to_device(np.array(array), parameter.device)
