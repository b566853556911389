"""Adam and AdamW."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyres.autograd import Array, Tensor
from tinyres.optim.optimizer import Optimizer


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
