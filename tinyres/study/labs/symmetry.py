"""Broken symmetry: three ways in which a layer's weights degenerate, and how a skip connection prevents the harm.

Claim. In a plain layer y = relu(W·x)

    a  elimination         W = 0: every unit is dead, nothing passes, in forward or backward
    b  overlap             two units with equal weights, in and out: they compute the same, and always will
    c  linear dependence   one unit's weights are the sum of two others': the layer has lost a dimension

the layer loses information. With the skip, y = relu(W·x + x), the effective weights are W + I: they have full rank in
each case, and equal units get different inputs, so that training separates them. The skip eliminates the singularities.

Source. Orhan & Pitkow 2018, "Skip connections eliminate singularities", section 1 and Fig. 1.

Reproduced if, in each case and for each of 10 seeds, the rank of W is below 8 and that of W + I is 8; if, after 300
steps of training, the two units of case b still have the same weights without the skip, and different ones with it
(largest difference 0 and more than 0.01); and if the layer of case a learns nothing without the skip and something with
it (loss 1, the variance of the target, and less). Beyond that the loss decides nothing: one lost dimension of eight
does little harm, and training leaves state c by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.nn.module import Parameter
from tinyres.optim import SGD
from tinyres.random import generator
from tinyres.study.labs.drawing import PLAIN, RESIDUAL, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "three degenerate weight matrices, with and without the skip"
MINUTES = 0.2

UNITS, BATCH, STEPS, PARTED = 8, 256, 300, 0.01
EVERY = 10  # steps between two recorded losses
CASES = {"a": "elimination", "b": "overlap", "c": "linear dependence"}
KINDS = {"plain": 0.0, "residual": 1.0}


def degenerate(case: str, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """W (8, 8) of the layer, and the weights (1, 8) of the linear unit that reads it."""
    w, out = 0.3 * draws.standard_normal((UNITS, UNITS)), 0.3 * draws.standard_normal((1, UNITS))
    if case == "a":
        w[:] = 0
    elif case == "b":
        w[1], out[0, 1] = w[0], out[0, 0]
    else:
        w[2] = w[0] + w[1]
    return w, out


def train(case: str, skip: float, seed: int) -> Results:
    """Learn a random function of 8 inputs from the degenerate start.

    -> the rank of the effective weights at the start; by step, the loss and the distance between units 0 and 1.
    """
    draws = generator(seed, f"symmetry {case}")
    w, out = (Parameter(values) for values in degenerate(case, draws))
    x = np.abs(draws.standard_normal((BATCH, UNITS)))
    target = np.maximum(x @ draws.standard_normal((UNITS, UNITS)), 0) @ draws.standard_normal((UNITS, 1))
    target = (target - target.mean()) / target.std()
    optimizer = SGD([w, out], lr=0.02, momentum=0.9)
    rank = int(np.linalg.matrix_rank(w.data + skip * np.eye(UNITS)))
    losses, apart = [], []
    for step in range(STEPS + 1):
        inputs = Tensor(x)
        hidden = F.relu(F.linear(inputs, w) + inputs if skip else F.linear(inputs, w))
        loss = F.mse_loss(F.linear(hidden, out), Tensor(target))
        if step % EVERY == 0:
            losses.append(loss.item())
            apart.append(float(np.abs(w.data[0] - w.data[1]).max()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"rank": rank, "losses": losses, "apart": apart}


def compute(bench: Workbench) -> Results:
    seeds = bench.seeds(10, 50)
    return {
        case: {
            kind: bench.part(f"{case} {kind}", partial(train_all, case, skip, seeds)) for kind, skip in KINDS.items()
        }
        for case in CASES
    }


def train_all(case: str, skip: float, seeds: Sequence[int]) -> list[Results]:
    return [train(case, skip, seed) for seed in seeds]


def loss(runs: Sequence[Results]) -> float:
    """The loss after the last step: the median over the seeds."""
    return median(run["losses"][-1] for run in runs)


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [
            f"{case}: {name}",
            kind,
            f"{min(run['rank'] for run in results[case][kind])} of {UNITS}",
            f"{median(run['apart'][-1] for run in results[case][kind]):.2g}",
            f"{loss(results[case][kind]):.3f}",
        ]
        for case, name in CASES.items()
        for kind in KINDS
    ]
    return ("case", "net", "rank", "units 0 and 1 apart", "loss after training"), rows


def verdict(results: Results) -> Verdict:
    ranks = all(
        plain["rank"] < UNITS == residual["rank"]
        for case in CASES
        for plain, residual in zip(results[case]["plain"], results[case]["residual"], strict=True)
    )
    together = max(run["apart"][-1] for run in results["b"]["plain"])
    parted = min(run["apart"][-1] for run in results["b"]["residual"])
    dead, alive = loss(results["a"]["plain"]), loss(results["a"]["residual"])
    return Verdict(
        ranks and together == 0 and parted > PARTED and alive < dead and dead > 0.999,
        f"the skip restores the rank in {'every case' if ranks else 'not every case'}; equal units end {together:.2g} "
        f"apart without it and {parted:.2g} or more with it; from W = 0 the loss stays {dead:.2f} without, and falls "
        f"to {alive:.2f} with it",
    )


def draw(results: Results, figure: Figure) -> None:
    panels = figure.subplots(1, 4)
    for axes, (case, name) in zip(panels, CASES.items(), strict=False):
        for kind, colour, style in (("plain", PLAIN, "--"), ("residual", RESIDUAL, "-")):
            losses = np.median([run["losses"] for run in results[case][kind]], axis=0)
            rank = min(run["rank"] for run in results[case][kind])
            axes.plot(EVERY * np.arange(len(losses)), losses, style, color=colour, label=f"{kind}, rank {rank}")
        tidy(axes, f"{case}: {name}", "step", "mean squared error" if axes is panels[0] else "")
        axes.set_ylim(0, None)
    for kind, colour, style in (("plain", PLAIN, "--"), ("residual", RESIDUAL, "-")):
        apart = np.median([run["apart"] for run in results["b"][kind]], axis=0)
        panels[3].plot(EVERY * np.arange(len(apart)), apart, style, color=colour, label=kind)
    tidy(panels[3], "b: equal units part", "step", "largest difference of their weights")
    figure.suptitle("A degenerate layer, with and without the skip: medians over seeds", fontweight="bold")
