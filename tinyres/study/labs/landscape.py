"""Loss landscapes: around a trained plain net the loss rises steeply and unevenly, around a residual one gently.

Claim. Skip connections keep the loss surface around a minimum flat and nearly convex; that of a deep net without them
is sharp and chaotic.

    f(α, β) = L(θ + α·δ + β·η)        δ, η: random directions, each filter as long as the one it is added to:

    d_{i,j} ← d_{i,j} / |d_{i,j}| · |θ_{i,j}|        for every filter j of layer i

Without that scaling, a net whose weights are larger (which changes nothing after batch norm) would look flatter. A row
of a linear layer counts as a filter. Biases and batch norm's parameters stay where they are: d = 0.

Source. Li, Xu, Taylor, Studer & Goldstein 2018, "Visualizing the loss landscape of neural nets", section 4, Fig. 1, 5
and 6.

L is the mean cross-entropy over 128 training images, in evaluation mode. By seed: two directions, and the loss along
each at 21 points of [−1, 1]; for the first seed also the plane that they span, 13×13 points. The nets learn a few
hundred images, at half their size, by heart: without augmentation, in batches of 32, at a learning rate of 0.02 (at 0.1
the plain net was still at a loss of 1.5 after 960 steps). Around a loss near 0 the claim can be tried.

Two numbers for every line. Flatness: how far one can go from the minimum, on average of both ways, before the loss has
risen by 1 (at most 1, where the line ends). Dents: the share of the inner points in which the loss lies above the
middle between its neighbours, which a convex function never does.

Reproduced if, in the median over three seeds of the mean over the lines, the residual net's flatness is at least 1.5
times its plain twin's, and it has fewer dents.

The flatness is ill-posed for a net that has learnt little, as a first run with more images showed: its loss needs no
steep rise to be 1 higher, for that is more than knowing nothing costs (2.3 for ten classes), and there is a wide
plateau on the way. So read it beside the loss at the minimum. The verdict also tells the highest loss on the lines,
which decides nothing. With both nets at a loss near 0, dents were found around the plain ones alone, but no difference
in flatness. 32 layers are few for that: the paper sees chaos around plain nets of 56 (--full), and hardly at 20.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.nn import Module
from tinyres.random import generator
from tinyres.study.labs.drawing import PLAIN, RESIDUAL, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import KINDS, sizes_of, trained_twin
from tinyres.study.labs.workbench import Workbench
from tinyres.train import evaluate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "the loss around trained plain and residual nets"
MINUTES = 5.0

DEPTHS = 32, 56  # the default run's, and the full one's
IMAGES, RISE, FLATTER = 128, 1.0, 1.5
BATCH, LR = 32, 0.02
LINE, GRID = 21, 13  # points along a line, and along each side of the plane
LOWEST, HIGHEST = 0.01, 10.0  # where the colours begin and end; guessing costs 2.3
COLOURS = {"plain": PLAIN, "residual": RESIDUAL}

Direction = dict[str, np.ndarray]  # by parameter
Loss = Callable[[float, float], float]


def direction(model: Module, draws: np.random.Generator) -> Direction:
    """Random, scaled filter by filter to the length that the model's own has."""
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            d = draws.standard_normal(parameter.shape)
            axes = tuple(range(1, parameter.ndim))  # all of a filter's, or of a row's
            lengths = [np.sqrt((values.astype(float) ** 2).sum(axes, keepdims=True)) for values in (parameter.data, d)]
            found[name] = (d * lengths[0] / lengths[1]).astype(parameter.dtype)
        else:
            found[name] = np.zeros_like(parameter.data)
    return found


def surface(model: Module, along: Sequence[Direction], images: Loader) -> Loss:
    """f(α, β): the loss of the model, from where it is now, with its weights moved along the two directions."""
    start = {name: parameter.data.copy() for name, parameter in model.named_parameters()}

    def loss(a: float, b: float) -> float:
        for name, parameter in model.named_parameters():
            parameter.data = start[name] + np.float32(a) * along[0][name] + np.float32(b) * along[1][name]
        try:
            return evaluate(model, images.epoch(0)).loss
        finally:
            for name, parameter in model.named_parameters():
                parameter.data = start[name]

    return loss


def steps(points: int) -> np.ndarray:
    return np.linspace(-1, 1, points)


def flatness(losses: Sequence[float], rise: float = RISE) -> float:
    """How far from the middle the loss has risen by so much: linear between points, the mean of both ways."""
    middle = len(losses) // 2
    ways = (np.array(losses[middle:]), np.array(losses[middle::-1]))
    return mean(first_crossing(way, losses[middle] + rise) for way in ways)


def first_crossing(losses: np.ndarray, level: float) -> float:
    """Where, on [0, 1], the loss first reaches the level; 1 if it never does."""
    place = np.linspace(0, 1, len(losses))
    above = np.flatnonzero(losses >= level)
    if len(above) == 0:
        return 1.0
    k = above[0]
    share = (level - losses[k - 1]) / (losses[k] - losses[k - 1])
    return float(place[k - 1] + share * (place[k] - place[k - 1]))


def dents(losses: Sequence[float]) -> float:
    """The share of the inner points that lie above the middle between their neighbours."""
    return float((np.diff(losses, 2) < 0).mean())


def around(model: Module, train: Dataset, seed: int) -> Loss:
    average, deviation = channel_statistics(train)
    images = Loader(train.take(slice(IMAGES)), IMAGES, mean=average, std=deviation, prefetch=0)
    return surface(model, [direction(model, generator(seed, "direction", draw=k)) for k in range(2)], images)


def run(
    bench: Workbench, kind: str, depth: int, seed: int, sets: tuple[Dataset, Dataset], epochs: int, whole: bool
) -> Results:
    """The loss along two lines, and, where the whole plane is asked for, f(α, β), a row for every β."""
    model, curve = trained_twin(bench, kind, depth, seed, sets, epochs, augment=False, batch_size=BATCH, lr=LR)
    loss = around(model, sets[0], seed)
    found = {"end": curve[-1], "lines": [[loss(a, 0) for a in steps(LINE)], [loss(0, b) for b in steps(LINE)]]}
    return {**found, "plane": [[loss(a, b) for a in steps(GRID)] for b in steps(GRID)]} if whole else found


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(*DEPTHS), bench.seeds(3, 3)
    epochs, sets = bench.epochs(60, 70), bench.load(*bench.choose((300, 200), (5000, 1000)), half=True)
    nets = {
        kind: [
            bench.part(
                f"{kind} seed {seed}", partial(run, bench, kind, depth, seed, sets, epochs, whole=seed == seeds[0])
            )
            for seed in seeds
        ]
        for kind in KINDS
    }
    return {"nets": nets, "depth": depth, "data": sizes_of(*sets)}


def over_seeds(results: Results, kind: str, number: Callable[[Sequence[float]], float]) -> float:
    """The median over the seeds of the mean over the lines."""
    return median(mean(number(line) for line in run["lines"]) for run in results["nets"][kind])


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = []
    for kind, runs in results["nets"].items():
        for seed, run in enumerate(runs):
            line = run["lines"][0]
            flat, dented, highest = (mean(number(line) for line in run["lines"]) for number in (flatness, dents, max))
            loss, error = line[len(line) // 2], 100 * run["end"]["test_error"]
            rows.append(
                [kind, seed, f"{loss:.3f}", f"{error:.1f} %", f"{flat:.3f}", f"{100 * dented:.0f} %", f"{highest:.3g}"]
            )
    head = ("net", "seed", "loss at the minimum", "test error", "flatness", "dents", "highest loss on the lines")
    return head, rows


def verdict(results: Results) -> Verdict:
    flat, dented, highest = (
        {kind: over_seeds(results, kind, number) for kind in KINDS} for number in (flatness, dents, max)
    )
    return Verdict(
        flat["residual"] >= FLATTER * flat["plain"] and dented["residual"] < dented["plain"],
        f"the loss has risen by {RISE:g} at a distance of {flat['residual']:.2f} from the residual net and of "
        f"{flat['plain']:.2f} from the plain one; dents are at {100 * dented['residual']:.0f} % and "
        f"{100 * dented['plain']:.0f} % of the points; the lines rise to {highest['residual']:.0f} and "
        f"{highest['plain']:.0f}",
    )


def draw(results: Results, figure: Figure) -> None:
    from matplotlib.colors import LogNorm

    planes = {kind: np.array(results["nets"][kind][0]["plane"]) for kind in KINDS}
    levels = np.geomspace(LOWEST, HIGHEST, 22)
    panels = figure.subplots(1, 3, width_ratios=(1.2, 1.2, 1))
    for axes, kind in zip(panels, KINDS, strict=False):
        grid = steps(len(planes[kind]))
        norm = LogNorm(levels[0], levels[-1])
        filled = axes.contourf(grid, grid, planes[kind], levels, norm=norm, cmap="viridis", extend="both")
        axes.contour(grid, grid, planes[kind], levels, colors="white", linewidths=0.4)
        axes.plot(0, 0, "x", color="white")
        axes.set_aspect("equal")
        axes.set(
            title=f"{kind}, the first seed\n(×: the trained net)", xlabel="α", ylabel="β" if kind == "plain" else ""
        )
    ticks = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)
    bar = figure.colorbar(
        filled, ax=list(panels[:2]), label="loss, in both planes", ticks=ticks, format="%g", shrink=0.75, pad=0.02
    )
    bar.ax.minorticks_off()
    for kind, style in zip(KINDS, ("--", "-"), strict=True):
        for k, line in enumerate(line for run in results["nets"][kind] for line in run["lines"]):
            panels[2].semilogy(steps(len(line)), line, style, color=COLOURS[kind], label=None if k else kind, alpha=0.8)
    tidy(panels[2], "all lines, all seeds", "α or β: distance along the line", "loss")
    figure.suptitle(f"The loss around trained {results['depth']}-layer nets: {results['data']}", fontweight="bold")
