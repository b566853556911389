"""Stochastic gradient descent, with momentum."""

from collections.abc import Iterable
from typing import Any

from tinyres.autograd import Array, Tensor
from tinyres.optim.optimizer import Optimizer


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
