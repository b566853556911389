"""What training on N ranks costs in messages: `python -m tinyres.app.bench.cluster docs/cluster.md` writes the tables.

A message of n bytes takes α + n/β seconds. To sum n bytes over N ranks takes, by the algorithms that MPI libraries and
NCCL choose from (Thakur, Rabenseifner & Gropp 2005, "Optimization of collective communication operations in MPICH",
section 4.5; Patarasuk & Yuan 2009 for the ring), with log the number of doublings that reach N:

    ring                    2·(N − 1)·α + 2·(N − 1)/N · n/β      least bytes; but a chain of 2·(N − 1) messages
    halving and doubling    2·log N·α   + 2·(N − 1)/N · n/β      (Rabenseifner's)
    recursive doubling        log N·(α + n/β)                    fewest messages: for short ones

The time of the additions is left out, and so is whatever else uses the network: these are what a step takes at least.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import Any

from tinyres import models, nn
from tinyres.look.summary import count_parameters
from tinyres.nn.init import undrawn

RANKS = (1, 2, 4, 8, 16, 64, 256, 1024)
NUMBERS = 4  # that travel with the gradient: see tinyres/scale/team.py


@dataclass(frozen=True)
class Fabric:
    """α in seconds, β in bytes a second and direction, for each rank by itself; up to so many ranks."""

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
    """A network's messages in a step: the gradient's bytes, and those of each batch norm's two sums, one each way."""

    name: str
    seconds: float  # a step's own, without any message
    gradient: int
    batch_norms: tuple[int, ...]


def messages(name: str, seconds: float) -> Messages:
    with undrawn():  # shapes alone count
        model = models.build(name)
    gradient = 4 * (count_parameters(model) + NUMBERS)
    channels = [layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    return Messages(name, seconds, gradient, tuple(2 * 8 * C for C in channels))


# ---- the formulas ----------------------------------------------------------------------------------------------------


def ring(N: int, n: int, fabric: Fabric) -> float:
    return 2 * (N - 1) * fabric.alpha + 2 * (N - 1) / N * n / fabric.beta


def halving_and_doubling(N: int, n: int, fabric: Fabric) -> float:
    return 2 * doublings(N) * fabric.alpha + 2 * (N - 1) / N * n / fabric.beta


def recursive_doubling(N: int, n: int, fabric: Fabric) -> float:
    return doublings(N) * (fabric.alpha + n / fabric.beta)


def doublings(N: int) -> int:
    return ceil(log2(N))


def batch_norm_seconds(N: int, sent: Messages, fabric: Fabric) -> float:
    """Each layer's sums forward and backward, one after the other: the next layer waits for them."""
    return sum(2 * min(recursive_doubling(N, n, fabric), halving_and_doubling(N, n, fabric)) for n in sent.batch_norms)


def gradient_seconds(N: int, sent: Messages, fabric: Fabric) -> float:
    return min(ring(N, sent.gradient, fabric), halving_and_doubling(N, sent.gradient, fabric))


# ---- the tables ------------------------------------------------------------------------------------------------------


def table_of_messages(all_sent: list[Messages]) -> str:
    rows = [
        [sent.name, f"{sent.gradient:,}", str(2 * len(sent.batch_norms)), f"{2 * sum(sent.batch_norms):,}"]
        for sent in all_sent
    ]
    return table(["network", "gradient, bytes", "messages of sync batch norm", "their bytes"], rows)


def table_of_costs(sent: Messages, fabric: Fabric) -> str:
    rows = []
    for N in (N for N in RANKS if fabric.most >= N):
        gradient, norms = gradient_seconds(N, sent, fabric), batch_norm_seconds(N, sent, fabric)
        times = ring(N, sent.gradient, fabric), halving_and_doubling(N, sent.gradient, fabric), norms
        local, sync = (sent.seconds / (sent.seconds + sent_for) for sent_for in (gradient, gradient + norms))
        rows.append([f"{N:,}", *(f"{1e3 * time:.2f}" for time in times), f"{local:.1%}", f"{sync:.1%}"])
    head = ["ranks", "ring, ms", "halving, ms", "batch norms, ms", "efficiency, local", "efficiency, sync"]
    return table(head, rows)


def table_of_measurements(measured: dict[str, Any]) -> str:
    fabric = fitted(measured)
    head = ["Allreduce", "bytes", "ranks", "measured: median, ms", "least, ms", "the model, ms"]
    rows = []
    for ranks, row in sorted(measured["rows"].items(), key=lambda item: int(item[0])):
        for name, one in row.items():
            model = predicted(int(ranks), one["bytes"], fabric)
            figures = [f"{1e3 * seconds:.3f}" for seconds in (one["median"], one["least"], model)]
            rows.append([name, f"{one['bytes']:,}", ranks, *figures])
    return table(head, rows)


def table_of_a_step(step: dict[str, float]) -> str:
    """Of two ranks: what sync batch norm and the message add to forward and backward."""
    what = {
        "local": "forward and backward, batch norm local",
        "sync": "forward and backward, batch norm sync",
        "message": "the message with the gradient",
    }
    rows = [[text, f"{1e3 * step[name]:.2f}", f"{step[name] / step['local']:.1%}"] for name, text in what.items()]
    return table(["ResNet-20, 64 images a rank, two ranks", "ms", "of the first"], rows)


def predicted(N: int, n: int, fabric: Fabric) -> float:
    return min(f(N, n, fabric) for f in (ring, halving_and_doubling, recursive_doubling))


def fitted(measured: dict[str, Any]) -> Fabric:
    """α from the least time of the shortest message between two ranks, β from that of the longest."""
    short, *_, long = sorted(measured["rows"]["2"].values(), key=lambda one: one["bytes"])
    alpha = short["least"]
    return Fabric("shared memory", alpha, long["bytes"] / (long["least"] - 2 * alpha))


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---- the page --------------------------------------------------------------------------------------------------------


def tables(measured: dict[str, Any]) -> dict[str, str]:
    """{the name of a place in the page: what stands there}"""
    nets = [messages("resnet20", 75e-3), messages("resnet50", 100e-3)]
    shared = fitted(measured)
    found = {"messages": table_of_messages(nets)}
    for sent in nets:
        costs = [f"{fabric.name}\n\n{table_of_costs(sent, fabric)}" for fabric in FABRICS]
        found[sent.name] = "\n\n".join(costs)
    assumed = [[f.name, f"{1e6 * f.alpha:.0f}", f"{f.beta / 1e9:.2f}"] for f in FABRICS]
    found["fabrics"] = table(["fabric", "α, µs", "β, GB/s"], assumed)
    what = f"{measured['cpu']}, {measured['cores']} cores"
    fit = f"the model's α = {1e6 * shared.alpha:.1f} µs and β = {shared.beta / 1e9:.2f} GB/s are fitted to two ranks"
    found["measured"] = f"{what}; {fit}.\n\n{table_of_measurements(measured)}"
    found["step"] = table_of_a_step(measured["step"])
    return found


def filled_in(page: str, found: dict[str, str]) -> str:
    """The page with these between its marks, <!-- NAME --> and <!-- end -->. ValueError: a mark is missing."""
    for name, text in found.items():
        begin = f"<!-- {name} -->"
        if page.count(begin) != 1:
            raise ValueError(f"expected {begin} once, got it {page.count(begin)} times")
        before, _, after = page.partition(begin)
        _, end, after = after.partition("<!-- end -->")
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def main(path: Path) -> None:
    measured = json.loads(path.with_name("allreduce.json").read_text())
    path.write_text(filled_in(path.read_text(encoding="utf-8"), tables(measured)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
