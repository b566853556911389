"""Loss landscapes: around a trained plain net the loss rises steeply and unevenly, around a residual net gently.

Claim. Skip connections keep the loss surface around a minimum flat and nearly convex; around a deep net without them it
is sharp and chaotic.

    f(α, β) = L(θ + α·δ + β·η)        δ, η: random directions, each filter as long as the one it is added to:

    d_{i,j} ← d_{i,j} / |d_{i,j}| · |θ_{i,j}|        for every filter j of layer i

Without this scaling, a net with larger weights would look flatter, although batch norm cancels their size. A row of a
linear layer counts as a filter. Biases and batch norm's parameters do not move: d = 0.

Source. Li, Xu, Taylor, Studer & Goldstein 2018, "Visualizing the loss landscape of neural nets", section 4, Fig. 1, 5
and 6.

L is the mean cross-entropy over 128 training images, in evaluation mode. For each seed there are two directions, and
the loss along each at 21 points of [−1, 1]; for the first seed also the plane that they span, at 13×13 points. The nets
learn a few hundred images of half the size by heart: without augmentation, in batches of 32, at a learning rate of 0.02
(at 0.1 the plain net was still at a loss of 1.5 after 960 steps). A loss near 0 is needed to test the claim.

Two numbers describe every line. Flatness is the distance from the minimum at which the loss has risen by 1, averaged
over both directions (at most 1, where the line ends). Dents are the fraction of the inner points at which the loss is
above the mean of its neighbours, which never happens in a convex function.

Reproduced if, in the median over three seeds of the mean over the lines, the residual net's flatness is at least 1.5
times its plain twin's, and it has fewer dents.

The flatness is ill-posed for a net that has learnt little, as a first run with more images showed: its loss can hardly
rise by 1, because a net that knows nothing has a loss of only 2.3 (ten classes), and a wide plateau lies on the way. So
compare it with the loss at the minimum. The verdict also gives the highest loss on the lines, which decides nothing.
With both nets at a loss near 0, only the plain nets had dents, but the flatness did not differ. 32 layers are few for
this claim: the paper sees chaos around plain nets of 56 layers (--full), and hardly any at 20.
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
from tinyres.study.labs.drawing import COLOURS, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import KINDS, sizes_of, trained_twin
from tinyres.study.labs.workbench import Workbench
from tinyres.train import evaluate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "the loss around trained plain and residual nets"
MINUTES = 5.0

DEPTHS = 32, 56  # of the default run and of the full run
IMAGES, RISE, FLATTER = 128, 1.0, 1.5
BATCH, LR = 32, 0.02
LINE, GRID = 21, 13  # points along a line, and along each side of the plane
LOWEST, HIGHEST = 0.01, 10.0  # the range of the colours; guessing has a loss of 2.3

Direction = dict[str, np.ndarray]  # by parameter
Loss = Callable[[float, float], float]


def direction(model: Module, draws: np.random.Generator) -> Direction:
    """A random direction, each filter scaled to the length of the model's filter."""
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            d = draws.standard_normal(parameter.shape)
            axes = tuple(range(1, parameter.ndim))  # of one filter, or of one row
            lengths = [np.sqrt((values.astype(float) ** 2).sum(axes, keepdims=True)) for values in (parameter.data, d)]
            found[name] = (d * lengths[0] / lengths[1]).astype(parameter.dtype)
        else:
            found[name] = np.zeros_like(parameter.data)
    return found


def surface(model: Module, along: Sequence[Direction], images: Loader) -> Loss:
    """f(α, β): the loss of the model when its present weights are moved along the two directions."""
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
    """The distance from the middle at which the loss has risen by `rise`: interpolated, the mean of both ways."""
    middle = len(losses) // 2
    ways = (np.array(losses[middle:]), np.array(losses[middle::-1]))
    return mean(first_crossing(way, losses[middle] + rise) for way in ways)


def first_crossing(losses: np.ndarray, level: float) -> float:
    """The first place on [0, 1] at which the loss reaches the level; 1 if it never does."""
    place = np.linspace(0, 1, len(losses))
    above = np.flatnonzero(losses >= level)
    if len(above) == 0:
        return 1.0
    k = above[0]
    fraction = (level - losses[k - 1]) / (losses[k] - losses[k - 1])
    return float(place[k - 1] + fraction * (place[k] - place[k - 1]))


def dents(losses: Sequence[float]) -> float:
    """The fraction of the inner points that lie above the mean of their neighbours."""
    return float((np.diff(losses, 2) < 0).mean())


def around(model: Module, train: Dataset, seed: int) -> Loss:
    average, deviation = channel_statistics(train)
    images = Loader(train.take(slice(IMAGES)), IMAGES, mean=average, std=deviation, prefetch=0)
    return surface(model, [direction(model, generator(seed, "direction", draw=k)) for k in range(2)], images)


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(*DEPTHS), bench.seeds(3, 3)
    epochs, sets = bench.epochs(60, 70), bench.load((300, 200), (5000, 1000), half=True)

    def measure(kind: str, seed: int) -> Results:
        """The loss along two lines; for the first seed also the plane f(α, β), a row for every β."""
        model, curve = trained_twin(bench, kind, depth, seed, sets, epochs, augment=False, batch_size=BATCH, lr=LR)
        loss = around(model, sets[0], seed)
        found = {"end": curve[-1], "lines": [[loss(a, 0) for a in steps(LINE)], [loss(0, b) for b in steps(LINE)]]}
        if seed == seeds[0]:
            found["plane"] = [[loss(a, b) for a in steps(GRID)] for b in steps(GRID)]
        return found

    nets = {kind: bench.each_seed(kind, seeds, partial(measure, kind)) for kind in KINDS}
    return {"nets": nets, "depth": depth, "data": sizes_of(*sets)}


def over_seeds(results: Results, kind: str, number: Callable[[Sequence[float]], float]) -> float:
    """The number's mean over the lines, and of that the median over the seeds."""
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
