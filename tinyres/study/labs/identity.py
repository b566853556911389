"""Learning to do nothing: easy for a residual block, hard for a plain one.

Claim. If doing nothing is best for some layers, a plain stack must learn the identity, and a residual stack F(x) = 0.
Weights start near 0, so F = 0 is near and the identity is far: a layer that outputs [0.6, 0.6] where [2, 1] was wanted
is nearer to [0, 0] than to [2, 1]. So the residual stack needs fewer steps, and the difference grows with depth.

    plain       y = relu(W2·relu(W1·x))            residual    y = relu(x + W2·relu(W1·x))            x ≥ 0

Source. He et al. 2016a, section 3.1.

Reproduced if [0.6, 0.6] is nearer to [0, 0]; and if at every depth, in the median over 5 seeds, the residual stack
learns the identity on 16 random non-negative features (mean squared error below a tenth of their variance) in at most a
fifth of the plain stack's steps. Each stack gets its own best of three learning rates and two sizes of initial weights
(He's and half of them, because the residual stack also starts with an F that it has to unlearn). A stack that has not
learnt the identity after 2,000 steps counts with 2,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import Linear, Module, Sequential, init
from tinyres.nn import functional as F
from tinyres.optim import Adam
from tinyres.random import generator, manual_seed
from tinyres.study.labs.drawing import PLAIN, RESIDUAL, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "learning the identity: the steps that a plain and a residual stack need"
MINUTES = 2.0

FEATURES, BATCH, MOST_STEPS, GOOD_ENOUGH, AT_MOST = 16, 64, 2000, 0.1, 0.2
CHOICES = [(lr, size) for lr in (1e-3, 3e-3, 1e-2) for size in (1.0, 0.5)]  # each stack gets its best one
WANTED, GIVEN = (2.0, 1.0), (0.6, 0.6)


class TwoLayers(Module):
    """y = relu(F(x)), or with a skip relu(x + F(x))."""

    def __init__(self, skip: bool, size: float):
        super().__init__()
        self.skip = skip
        self.fc1, self.fc2 = Linear(FEATURES, FEATURES, bias=False), Linear(FEATURES, FEATURES, bias=False)
        for layer in (self.fc1, self.fc2):
            init.kaiming_normal_(layer.weight, nonlinearity="relu")
            layer.weight.data *= layer.weight.dtype.type(size)

    def forward(self, x: Tensor) -> Tensor:
        out = self.fc2(F.relu(self.fc1(x)))
        return F.relu(out + x if self.skip else out)


def steps_needed(blocks: int, skip: bool, lr: float, size: float, seed: int) -> int:
    """Steps of Adam until the stack returns its input; MOST_STEPS if it never does."""
    manual_seed(seed)
    stack = Sequential(*(TwoLayers(skip, size) for _ in range(blocks)))
    optimizer = Adam(stack.parameters(), lr=lr)
    draws = generator(seed, "identity")
    for step in range(MOST_STEPS):
        x = np.abs(draws.standard_normal((BATCH, FEATURES))).astype(np.float32)
        loss = F.mse_loss(stack(Tensor(x)), Tensor(x))
        if loss.item() < GOOD_ENOUGH * x.var():
            return step
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return MOST_STEPS


def best(blocks: int, skip: bool, seeds: Sequence[int]) -> list[int]:
    """The steps for every seed, with the learning rate and the size of weights that are best for this stack."""
    tried = [[steps_needed(blocks, skip, lr, size, seed) for seed in seeds] for lr, size in CHOICES]
    return min(tried, key=median)


def compute(bench: Workbench) -> Results:
    depths, seeds = bench.choose([1, 2, 4], [1, 2, 4, 8, 16]), bench.seeds(5, 20)
    steps = {
        kind: {
            str(blocks): bench.part(f"{kind} {blocks} blocks", partial(best, blocks, skip, seeds)) for blocks in depths
        }
        for kind, skip in (("plain", False), ("residual", True))
    }
    distances = {str(point): float(np.hypot(*np.subtract(GIVEN, point))) for point in ((0.0, 0.0), WANTED)}
    return {"steps": steps, "distances": distances, "seeds": list(seeds)}


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [blocks, *(f"{median(results['steps'][kind][blocks]):g}" for kind in ("plain", "residual"))]
        for blocks in results["steps"]["plain"]
    ]
    return ("blocks", "plain: steps", "residual: steps"), rows


def verdict(results: Results) -> Verdict:
    to_zero, to_wanted = results["distances"].values()
    ratios = {
        blocks: median(results["steps"]["residual"][blocks]) / median(plain)
        for blocks, plain in results["steps"]["plain"].items()
    }
    held = to_zero < to_wanted and max(ratios.values()) <= AT_MOST
    shares = ", ".join(f"{ratio:.1%} with {blocks} blocks" for blocks, ratio in ratios.items())
    return Verdict(
        held,
        f"{list(GIVEN)} is {to_zero:.2f} from [0, 0] and {to_wanted:.2f} from {list(WANTED)}; "
        f"of the plain stack's steps the residual one needs {shares}",
    )


def draw(results: Results, figure: Figure) -> None:
    example, steps = figure.subplots(1, 2)
    for point, colour, name in (((0, 0), RESIDUAL, "[0, 0]: F = 0"), (WANTED, PLAIN, "[2, 1]: the identity")):
        distance = np.hypot(*np.subtract(GIVEN, point))
        example.plot(*zip(GIVEN, point, strict=True), "--", color=colour, linewidth=1)
        example.plot(*point, "o", color=colour, markersize=9, label=f"{name}, {distance:.2f} away")
    example.plot(*GIVEN, "s", color="black", markersize=9, label="[0.6, 0.6]: what the layer gives")
    example.set(xlim=(-0.3, 2.4), ylim=(-0.3, 2.1), aspect="equal")
    tidy(example, "Near zero is near F = 0", "first output", "second output")
    for kind, colour, marker in (("plain", PLAIN, "s"), ("residual", RESIDUAL, "o")):
        depths = [int(blocks) for blocks in results["steps"][kind]]
        every = list(results["steps"][kind].values())
        steps.plot(
            depths, [max(1, median(s)) for s in every], f"{marker}-", color=colour, label=f"{kind}: median, seeds"
        )
        for depth, counts in zip(depths, every, strict=True):
            steps.plot([depth] * len(counts), np.maximum(counts, 1), marker, color=colour, alpha=0.35, markersize=4)
    steps.axhline(MOST_STEPS, color="black", linewidth=0.8, linestyle=":")
    steps.set_xscale("log", base=2)
    steps.set_yscale("log")
    steps.set_xticks(depths, [str(depth) for depth in depths])
    tidy(steps, "Steps to learn the identity (dotted: given up)", "blocks of two layers", "steps of Adam")
