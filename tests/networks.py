"""For the tests of whole networks: their gradients, a little training, and the same weights in torch."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinyres
from tinyres import Tensor
from tinyres.nn import Dropout, Module, Parameter
from tinyres.nn import functional as F
from tinyres.optim import SGD
from tinyres.random import set_step


def images(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).standard_normal(shape).astype(np.float32)


def check_gradients(model: Module, x: np.ndarray) -> None:
    """With respect to x, and to every parameter: number k is moved by steps[k] along a random direction of its own.

    The directions are as long as the parameters are: a weight of 0.01 is moved by less than one of 1.
    """
    model.double()
    draws = np.random.RandomState(1)
    owners = [(module, name, p) for module in model.modules() for name, p in vars(module).items() if is_parameter(p)]
    for _, _, parameter in owners:  # with fresh biases, 0, a dead pixel would stand on the kink of the next ReLU
        parameter.data += draws.uniform(0.1, 0.5, parameter.shape) * (parameter.ndim == 1)
    sizes = [np.sqrt(np.mean(parameter.data**2)) for _, _, parameter in owners]
    directions = [Tensor(s * draws.standard_normal(p.shape)) for s, (_, _, p) in zip(sizes, owners, strict=True)]

    def run(x: Tensor, steps: Tensor) -> Tensor:
        set_step(0, 0)  # dropout draws the same every time
        for k, (module, name, parameter) in enumerate(owners):
            setattr(module, name, Tensor(parameter.data) + directions[k] * steps[k])
        return model(x)

    steps = np.zeros(len(owners))
    tinyres.gradcheck(run, [Tensor(x.astype(np.float64), requires_grad=True), Tensor(steps, requires_grad=True)])


def is_parameter(value: Any) -> bool:
    return isinstance(value, Parameter)


def losses(model: Module, x: np.ndarray, steps: int, lr: float) -> list[float]:
    """The loss before each of these steps, always with the same images; image n is of class n."""
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    seen = []
    for _ in range(steps):
        loss = F.cross_entropy(model(Tensor(x)), np.arange(len(x)))
        seen.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return seen


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """{name: shape} of all parameters and buffers, of a network of ours or torch's. (A state_dict would copy them.)"""
    return {name: tuple(value.shape) for name, value in (*model.named_parameters(), *model.named_buffers())}


def state_shapes(model: Module) -> list[tuple[str, tuple[int, ...]]]:
    """(name, shape) of all that a checkpoint holds, in its order."""
    return [(name, values.shape) for name, values in model.state_dict().items()]


def dropouts(model: Module) -> dict[str, float]:
    """{path: probability}: what scores in evaluation do not show."""
    return {path: module.p for path, module in model.named_modules() if isinstance(module, Dropout)}


def assert_same_scores(model: Module, theirs: Any, x: np.ndarray, tolerance: float = 1e-4) -> None:
    """A network in torch gives the scores of ours, once it has its weights: to 1e-4 of the largest, in float32."""
    import torch

    model(Tensor(x))  # so that running statistics, where there are some, are real ones
    theirs.load_state_dict({name: torch.tensor(value) for name, value in model.state_dict().items()})
    with tinyres.no_grad(), torch.no_grad():
        scores, wanted = model.eval()(Tensor(x)).numpy(), theirs.eval()(torch.tensor(x)).numpy()
    assert np.ptp(wanted, axis=1).min() > 0  # not everything has died on the way
    np.testing.assert_allclose(scores, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
