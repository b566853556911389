"""Shattered gradients: how the correlation of the gradients at two inputs falls with depth, and by which law.

Claim. For two inputs i and j let r(L) = ⟨∇_i, ∇_j⟩ / (|∇_i|·|∇_j|) be the correlation of an L-layer net's gradients
with respect to its inputs, over random weights (He's). With N hidden units, W ~ N(0, 2/N), h the hidden state:

    plain           h ← W·relu(h)                       r(L) = 1/2^L       white noise after a dozen layers
    residual        h ← h + W·relu(h)                   r(L) = (3/4)^L
    residual, BN    h ← h + W·relu(batch_norm(h))       r(L) ~ 1/√L        still alike after a hundred

Source. Balduzzi, Frean, Leary, Lewis, Ma & McWilliams 2017, "The shattered gradients problem: if resnets are the
answer, then what is the question?", theorems 1 to 3.

The theorems *assume* that a unit is active for half of the inputs, independently from input to input: for both of two
inputs with probability 1/4. A net without any normalisation does not do this. Its hidden states grow alike with depth
(their correlation tends to 1: Cho & Saul 2009's kernel), the same units are active for every input, and gradients do
not shatter. Without the assumption the first two laws cannot be found. So plain and residual nets are measured twice:
as they are, and *centred*. Centring subtracts each unit's mean over the inputs before its ReLU, which makes the
assumption true and changes nothing else.

Reproduced if the centred plain net, the centred residual net and the residual net with batch norm are each fitted best
by their own law of the three (a constant times the law, least squares in the logarithm, over the depths at which r is
above its noise), in at least 95 % of 1,000 bootstrap samples of the random nets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.nn import functional as F
from tinyres.random import generator
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, VERMILION, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "correlation of input gradients against depth, fitted to three laws"
MINUTES = 0.5

INPUTS, SURE, SAMPLES = 32, 0.95, 1000
LAWS: dict[str, Callable[[Any], Any]] = {  # their logarithms
    "1/2^L": lambda L: -L * np.log(2),
    "(3/4)^L": lambda L: L * np.log(3 / 4),
    "1/√L": lambda L: -np.log(L) / 2,
}
CLAIMED = {"plain, centred": "1/2^L", "residual, centred": "(3/4)^L", "residual, batch norm": "1/√L"}
NETS = ("plain", "residual", *CLAIMED)
COLOURS = dict(zip(NETS, (ORANGE, GREY, VERMILION, GREEN, BLUE), strict=True))


def next_state(h: Tensor, w: Tensor, net: str) -> Tensor:
    """One layer: h (inputs, N) -> (inputs, N). No gradient flows through the means and deviations over the inputs."""
    gated = h
    if "centred" in net or "batch norm" in net:
        gated = h - Tensor(h.data.mean(0))
    if "batch norm" in net:
        gated = gated / Tensor(h.data.std(0) + 1e-5)
    out = F.linear(F.relu(gated), w)
    return h + out if net.startswith("residual") else out


def correlation(net: str, depth: int, width: int, seed: int) -> float:
    """The mean over all pairs of inputs of ⟨∇_i, ∇_j⟩, divided by the mean of |∇_i|², in one random net."""
    draws = generator(seed, f"shattered {net}", step=depth)
    x = Tensor(draws.standard_normal((INPUTS, width)), requires_grad=True)
    h = x
    for _ in range(depth):
        h = next_state(h, Tensor(draws.normal(0, np.sqrt(2 / width), (width, width))), net)
    readout = draws.standard_normal(width)
    h.backward(np.tile(readout, (INPUTS, 1)))  # the gradient of each input's output, a linear readout of its last state
    assert x.grad is not None
    products = x.grad @ x.grad.T
    of_pairs = (products.sum() - products.trace()) / (INPUTS * (INPUTS - 1))
    return float(of_pairs / (products.trace() / INPUTS))


def correlations(net: str, depths: Sequence[int], width: int, seeds: Sequence[int]) -> list[list[float]]:
    """The correlation of every random net: a list for each depth, with a number for each seed."""
    return [[correlation(net, depth, width, seed) for seed in seeds] for depth in depths]


def best_law(depths: np.ndarray, r: np.ndarray, clear: np.ndarray) -> str:
    """The law with the smallest squared error in log r, up to a constant, over the depths that are `clear`."""

    def error(law: str) -> float:
        return float(np.var(np.log(r[clear]) - LAWS[law](depths[clear])))

    return min(LAWS, key=error)


def judged(depths: Sequence[int], every: list[list[float]], seed: int) -> Results:
    """The mean r at every depth, the law that fits it best, and the fraction of bootstrap samples in which it does."""
    values, L = np.array(every), np.array(depths)
    noise = values.std(1) / np.sqrt(values.shape[1])
    clear = values.mean(1) > 4 * noise  # so that the mean of a bootstrap sample has a logarithm, too
    draws = generator(seed, "bootstrap")
    votes = dict.fromkeys(LAWS, 0)
    for _ in range(SAMPLES):
        sample = values[:, draws.integers(values.shape[1], size=values.shape[1])].mean(1)
        votes[best_law(L, np.maximum(sample, 1e-12), clear)] += 1
    best = best_law(L, np.maximum(values.mean(1), 1e-12), clear)
    return {
        "r": values.mean(1).tolist(),
        "noise": noise.tolist(),
        "fitted_depths": L[clear].tolist(),
        "best": best,
        "share": votes[best] / SAMPLES,
    }


def compute(bench: Workbench) -> Results:
    depths = bench.choose([1, 2, 3, 4, 6, 8, 12, 16, 24, 32], [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100])
    width, seeds = bench.choose(128, 256), bench.seeds(50, 200)
    nets = {}
    for net in NETS:
        every = bench.part(net, partial(correlations, net, depths, width, seeds))
        nets[net] = judged(depths, every, bench.settings.seed)
    return {"depths": depths, "width": width, "nets": nets}


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [
            net,
            CLAIMED.get(net, "–"),
            f"{found['best']} in {found['share']:.0%} of samples",
            *(f"{found['r'][results['depths'].index(depth)]:.4f}" for depth in (4, 8, 16, 32)),
        ]
        for net, found in results["nets"].items()
    ]
    return ("net", "law claimed", "law that fits best", "r(4)", "r(8)", "r(16)", "r(32)"), rows


def verdict(results: Results) -> Verdict:
    found = {net: results["nets"][net] for net in CLAIMED}
    held = all(of["best"] == CLAIMED[net] and of["share"] >= SURE for net, of in found.items())
    fits = "; ".join(f"{net}: {of['best']} ({of['share']:.0%} sure)" for net, of in found.items())
    return Verdict(held, f"{fits}. As they are, nets without normalisation do not shatter: their inputs grow alike")


def draw(results: Results, figure: Figure) -> None:
    assumed, bare = figure.subplots(1, 2, sharey=True)
    depths = np.array(results["depths"])
    for net, found in results["nets"].items():
        axes = assumed if net in CLAIMED else bare
        r = np.array(found["r"])
        shown = r > 2 * np.array(found["noise"])
        axes.loglog(depths[shown], r[shown], "o", color=COLOURS[net], label=net)
    for axes in (assumed, bare):
        for (law, logarithm), style in zip(LAWS.items(), (":", "--", "-"), strict=True):
            axes.loglog(depths, np.exp(logarithm(depths)), style, color="black", linewidth=1, label=law)
        axes.set_ylim(1e-4, 1.5)
        axes.set_xticks(depths, [str(depth) for depth in depths])
        axes.minorticks_off()
    tidy(assumed, "units active independently (the theorems' assumption)", "layers L", "correlation of gradients r(L)")
    tidy(bare, "nets as they are, without normalisation", "layers L")
    figure.suptitle("How alike the gradients at two random inputs are", fontweight="bold")
