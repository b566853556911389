"""What training on N ranks costs in messages. docs/make_cluster.py writes the tables of docs/cluster.md with it.

A message of n bytes takes α + n/β seconds. To sum n bytes over N ranks takes, by the algorithms that MPI libraries and
NCCL choose from (Thakur, Rabenseifner & Gropp 2005, "Optimization of collective communication operations in MPICH",
section 4.5; Patarasuk & Yuan 2009 for the ring), with log the number of doublings that reach N:

    ring                    2·(N − 1)·α + 2·(N − 1)/N · n/β      fewest bytes, but a chain of 2·(N − 1) messages
    halving and doubling    2·log N·α   + 2·(N − 1)/N · n/β      (Rabenseifner's)
    recursive doubling        log N·(α + n/β)                    fewest messages, best for short ones

The additions take no time here, and nothing else uses the network: the times are lower bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import Any

from tinyres import models, nn
from tinyres.look.summary import count_parameters
from tinyres.look.undrawn import undrawn

NUMBERS = 4  # sent together with the gradient: see tinyres/scale/team.py


@dataclass(frozen=True)
class Fabric:
    """A network: α in seconds, β in bytes a second in each direction, and the most ranks that it connects."""

    name: str
    alpha: float
    beta: float
    most: int = 1024


FABRICS = (
    Fabric("Ethernet, 10 Gb/s", 30e-6, 1.25e9),
    Fabric("Ethernet with RDMA, 100 Gb/s", 4e-6, 12.5e9),
    Fabric("InfiniBand NDR, 400 Gb/s", 2e-6, 50e9),
    Fabric("NVLink 4, 450 GB/s", 2e-6, 450e9, most=8),
)


@dataclass(frozen=True)
class Messages:
    """What a neural network sends in a training step."""

    name: str
    seconds: float  # of a step on one rank, which sends nothing
    gradient: int  # bytes
    batch_norms: tuple[int, ...]  # bytes of each layer's two sums, sent once in forward and once in backward


def messages(name: str, seconds: float) -> Messages:
    with undrawn():  # only shapes matter here
        model = models.build(name)
    gradient = 4 * (count_parameters(model) + NUMBERS)
    channels = [layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    return Messages(name, seconds, gradient, tuple(2 * 8 * C for C in channels))


def ring(N: int, n: int, fabric: Fabric) -> float:
    return 2 * (N - 1) * fabric.alpha + 2 * (N - 1) / N * n / fabric.beta


def halving_and_doubling(N: int, n: int, fabric: Fabric) -> float:
    return 2 * doublings(N) * fabric.alpha + 2 * (N - 1) / N * n / fabric.beta


def recursive_doubling(N: int, n: int, fabric: Fabric) -> float:
    return doublings(N) * (fabric.alpha + n / fabric.beta)


def doublings(N: int) -> int:
    return ceil(log2(N))


def batch_norm_seconds(N: int, sent: Messages, fabric: Fabric) -> float:
    """Each layer's sums in forward and in backward, one after the other: the next layer waits for them."""
    return sum(2 * min(recursive_doubling(N, n, fabric), halving_and_doubling(N, n, fabric)) for n in sent.batch_norms)


def gradient_seconds(N: int, sent: Messages, fabric: Fabric) -> float:
    return min(ring(N, sent.gradient, fabric), halving_and_doubling(N, sent.gradient, fabric))


def predicted(N: int, n: int, fabric: Fabric) -> float:
    return min(f(N, n, fabric) for f in (ring, halving_and_doubling, recursive_doubling))


def fitted(measured: dict[str, Any]) -> Fabric:
    """The fabric measured between two ranks: α from the least time of the shortest message, β from the longest."""
    short, *_, long = sorted(measured["rows"]["2"].values(), key=lambda one: one["bytes"])
    alpha = short["least"]
    return Fabric("shared memory", alpha, long["bytes"] / (long["least"] - 2 * alpha))
