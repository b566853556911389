"""Optimisers: what is done with the gradients, under torch's names and with torch's arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.device import to_device


class Optimizer:
    """Base of the optimisers: parameters in groups, each with its own settings, and what is remembered of each.

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
        """Change one parameter, whose gradient is g. `state` is what earlier steps left for it, empty at first."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Array]:
        """What the optimiser remembers, as arrays named "3.momentum": the parameter's number and the memory's name."""
        everyone = [parameter for group in self.param_groups for parameter in group["params"]]
        return {f"{k}.{name}": a for k, p in enumerate(everyone) for name, a in self.state.get(p, {}).items()}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take over what another optimiser's state_dict held."""
        everyone = [parameter for group in self.param_groups for parameter in group["params"]]
        self.state = {}
        for key, array in state.items():
            number, _, name = key.partition(".")
            if not number.isdigit() or int(number) >= len(everyone):
                raise ValueError(f"{type(self).__name__}: this state has {key!r}; there are {len(everyone)} parameters")
            parameter = everyone[int(number)]
            self.state.setdefault(parameter, {})[name] = to_device(np.array(array), parameter.device)


class SGD(Optimizer):
    """Stochastic gradient descent (Sutskever et al. 2013, in torch's form).

        g ← g + weight_decay·w        v ← momentum·v + g        w ← w − lr·v

    nesterov: look ahead along v, w ← w − lr·(g + momentum·v).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        *,  # by name only: torch's fourth is `dampening`
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        if nesterov and momentum <= 0:
            raise ValueError("SGD: nesterov needs a momentum above 0")
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)

    def update(self, parameter: Tensor, g: Array, state: dict[str, Array], group: dict[str, Any]) -> None:
        w = parameter.data
        if group["weight_decay"]:
            g = g + group["weight_decay"] * w
        if group["momentum"]:
            if "momentum" in state:
                v = state["momentum"]
                v *= group["momentum"]
                v += g
            else:
                v = state["momentum"] = g.copy()
            g = g + group["momentum"] * v if group["nesterov"] else v
        w -= group["lr"] * g


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, Alg. 1): each weight's step scaled by the size its gradient has had.

        m ← β₁·m + (1 − β₁)·g        v ← β₂·v + (1 − β₂)·g²
        w ← w − lr · m̂ / (√v̂ + eps)        m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ): both start at 0, this makes up for it

    weight_decay is added to g, as in SGD; AdamW keeps it apart.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, parameter: Tensor, g: Array, state: dict[str, Array], group: dict[str, Any]) -> None:
        self.adam_step(parameter, g + group["weight_decay"] * parameter.data, state, group)

    def adam_step(self, parameter: Tensor, g: Array, state: dict[str, Array], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=np.array(0), m=np.zeros_like(g), v=np.zeros_like(g))
        beta1, beta2 = group["betas"]
        m, v = state["m"], state["v"]
        state["step"] += 1
        t = int(state["step"])
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        parameter.data -= group["lr"] * m_hat / (np.sqrt(v_hat) + group["eps"])


class AdamW(Adam):
    """Adam with weight decay kept out of the averages (Loshchilov & Hutter 2019, Alg. 2): first w ← w − lr·decay·w."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, parameter: Tensor, g: Array, state: dict[str, Array], group: dict[str, Any]) -> None:
        parameter.data *= 1 - group["lr"] * group["weight_decay"]
        self.adam_step(parameter, g, state, group)
