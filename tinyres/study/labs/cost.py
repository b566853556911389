"""The cost of nets: their parameters, their multiply-adds, and the time of a training step."""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tinyres.app.bench.stopwatch import WARM_UP
from tinyres.autograd import Tensor
from tinyres.look.summary import count_parameters, layers
from tinyres.nn import Module
from tinyres.optim import SGD
from tinyres.random import generator
from tinyres.train import train_step

BATCH, TURNS = 64, 15


def multiply_adds(module: Module, input_shape: tuple[int, ...]) -> int:
    """The multiply-adds for one image; input_shape: (C, H, W)."""
    return sum(layer.multiply_adds for layer in layers(module, input_shape))


def costs(nets: dict[str, Module], classes: int) -> dict[str, Any]:
    """{net: {"parameters", "multiply_adds", "step_ms"}} for noise images of 3×32×32, 64 in a batch.

    The nets take turns, one step each, because a machine has faster and slower minutes; step_ms is the median over the
    turns. The steps train the nets.
    """
    draws = generator(0, "cost")
    images = Tensor(draws.standard_normal((BATCH, 3, 32, 32), np.float32))
    labels = Tensor(draws.integers(0, classes, BATCH))
    steps = {
        name: partial(train_step, net, SGD(net.parameters(), lr=0.01, momentum=0.9), images, labels)
        for name, net in nets.items()
    }
    taken: dict[str, list[float]] = {name: [] for name in nets}
    for _ in range(WARM_UP + TURNS):
        for name, step in steps.items():
            started = perf_counter()
            step()
            taken[name].append(perf_counter() - started)
    return {
        name: {
            "parameters": count_parameters(net),
            "multiply_adds": multiply_adds(net, (3, 32, 32)),
            "step_ms": 1e3 * median(taken[name][WARM_UP:]),
        }
        for name, net in nets.items()
    }
