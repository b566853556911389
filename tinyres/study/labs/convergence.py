"""Convergence: what a shallow residual net gains is speed; accuracy it gains when it is deep.

Claim. Plain and residual nets of 18 layers end equally accurate, for 18 plain layers are not too many to be optimised;
but the residual one is there sooner. Of 34 layers, the residual net is the more accurate too.

Source. He et al. 2016a, section 4.1, Fig. 4 and Table 2: top-1 error on ImageNet (10-crop) of 27.94 and 28.54 % for
plain nets of 18 and 34 layers, 27.88 and 25.03 % for residual ones; "the ResNet eases the optimization by providing
faster convergence at the early stage".

Here: the blocks of those nets, 2-2-2-2 and 3-4-6-3, at a quarter of their width (16-32-64-128) behind a 3×3
convolution, on pictures at half their size. Twins start with the same weights, and see the same batches in the same
order.

Speed: how many epochs the residual net needs to come down to the training error that its plain twin of that seed has
halfway through the training (on straight lines between the epochs), over the epochs that the twin needed.

Reproduced if, in the mean over three seeds: at 18 layers the two test errors are within 2 points of each other; at 34
layers the residual net's is below its twin's by more than the larger of their standard deviations, and by more than at
18; and if at 18 layers the residual net needs at most nine tenths of its twin's epochs, in the median over the seeds.

The first condition is ill-posed for a training that ends early, as it showed: a net that learns faster is then still
ahead. Read it beside the curves: whether they have met. (The paper made 600,000 steps, on 1.28 million images.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.data import Dataset
from tinyres.models.plain import PlainBlock
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.random import manual_seed
from tinyres.study.labs.drawing import PLAIN, RESIDUAL, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.scores import better, last, mean_and_spread
from tinyres.study.labs.twins import KINDS, sizes_of
from tinyres.study.labs.workbench import Curve, Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "18 layers against 34: what residual nets gain in speed, and in accuracy"
MINUTES = 4.5

COUNTS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
WIDTHS = (16, 32, 64, 128)
EQUAL, FASTER = 2.0, 0.9  # points of test error; share of the epochs
PAPER = {"plain": {"18": 27.94, "34": 28.54}, "residual": {"18": 27.88, "34": 25.03}}
COLOURS = {"plain": PLAIN, "residual": RESIDUAL}
STYLES = {"18": (1.2, ":"), "34": (2.2, "-")}


def network(kind: str, depth: str, classes: int, seed: int) -> ResNet:
    manual_seed(seed)
    block = partial(BasicBlock, shortcut="A") if kind == "residual" else PlainBlock
    return ResNet(block, COUNTS[depth], WIDTHS, classes)


def train(bench: Workbench, kind: str, depth: str, seed: int, sets: tuple[Dataset, Dataset], epochs: int) -> Curve:
    make = partial(network, kind, depth, len(sets[0].classes))
    return bench.trained(f"{kind} four stages {depth}", make, sets, seed=seed, epochs=epochs, lr=0.1)[1]


def compute(bench: Workbench) -> Results:
    seeds, epochs = bench.seeds(3, 5), bench.epochs(6, 30)
    sets = bench.load(*bench.choose((2000, 1000), (None, None)), half=True)
    return {
        "curves": {
            kind: {
                depth: [
                    bench.part(f"{kind} {depth} seed {seed}", partial(train, bench, kind, depth, seed, sets, epochs))
                    for seed in seeds
                ]
                for depth in COUNTS
            }
            for kind in KINDS
        },
        "data": sizes_of(*sets),
    }


def epochs_to(curve: Curve, error: float) -> float:
    """When the training error is first so low: on straight lines between the epochs, from chance at the start."""
    errors = [0.9, *(line["train_error"] for line in curve)]
    for k in range(1, len(errors)):
        if errors[k] <= error:
            return k - (error - errors[k]) / (errors[k - 1] - errors[k])
    return float(len(curve))


def speed(results: Results, depth: str) -> float:
    """The residual net's epochs to where the plain twin is halfway, over the twin's: the median over the seeds."""
    shares = []
    for plain, residual in zip(*(results["curves"][kind][depth] for kind in KINDS), strict=True):
        halfway = plain[len(plain) // 2 - 1]["train_error"]
        shares.append(epochs_to(residual, halfway) / epochs_to(plain, halfway))
    return median(shares)


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = []
    for kind in KINDS:
        for depth, runs in results["curves"][kind].items():
            errors = [mean_and_spread(last(runs, which)) for which in ("train_error", "test_error")]
            needed = f"{speed(results, depth):.2f}" if kind == "residual" else "1"
            rows.append([kind, depth, *errors, needed, PAPER[kind][depth]])
    head = ("net", "layers", "training error, %", "test error, %", "epochs to where the plain net is halfway, its = 1")
    return (*head, "paper, ImageNet top-1, 10-crop"), rows


def verdict(results: Results) -> Verdict:
    error = {(kind, depth): last(results["curves"][kind][depth]) for kind in KINDS for depth in COUNTS}
    gain = {depth: float(error["plain", depth].mean() - error["residual", depth].mean()) for depth in COUNTS}
    deep = better(error["residual", "34"], error["plain", "34"]) and gain["34"] > gain["18"]
    return Verdict(
        abs(gain["18"]) <= EQUAL and deep and speed(results, "18") <= FASTER,
        f"additions lower the test error by {gain['18']:+.2f} points at 18 layers and by {gain['34']:+.2f} at 34; the "
        f"residual net of 18 layers is where the plain one is halfway in {speed(results, '18'):.2f} of its epochs, "
        f"that of 34 in {speed(results, '34'):.2f}",
    )


def draw(results: Results, figure: Figure) -> None:
    panels = figure.subplots(1, 3, width_ratios=(3, 3, 2))
    for axes, (which, title) in zip(panels, (("train_error", "training"), ("test_error", "test")), strict=False):
        for kind in KINDS:
            for depth, (width, style) in STYLES.items():
                lines = np.array([[100 * line[which] for line in run] for run in results["curves"][kind][depth]])
                epochs, label = np.arange(1, lines.shape[1] + 1), f"{kind}, {depth} layers"
                axes.plot(epochs, lines.mean(0), style, color=COLOURS[kind], linewidth=width, label=label)
                axes.fill_between(epochs, lines.min(0), lines.max(0), color=COLOURS[kind], alpha=0.12, linewidth=0)
        axes.set_ylim(0, None)
        axes.locator_params(axis="x", integer=True)
        tidy(axes, f"{title}:\nmean and range of the seeds", "epoch", "error, %")
    panels[1].set_ylim(panels[0].get_ylim())
    panels[1].get_legend().remove()
    for kind, offset in zip(KINDS, (-0.12, 0.12), strict=True):
        for place, depth in enumerate(COUNTS):
            errors = last(results["curves"][kind][depth])
            where, marker = np.full(len(errors), place + offset), "s" if kind == "plain" else "o"
            panels[2].plot(where, errors, marker, color=COLOURS[kind], label=None if place else kind, alpha=0.7)
            panels[2].hlines(errors.mean(), place + offset - 0.1, place + offset + 0.1, color=COLOURS[kind], lw=2.5)
    panels[2].set_xticks(range(len(COUNTS)), list(COUNTS))
    panels[2].set_xlim(-0.5, len(COUNTS) - 0.5)
    panels[2].margins(y=0.3)
    tidy(panels[2], "at the end:\nseeds, and mean", "layers", "test error, %")
    figure.suptitle(f"18 and 34 layers: {results['data']}", fontweight="bold")
