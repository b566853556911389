"""Convergence: a shallow residual net learns faster than its plain twin, and a deep one is also more accurate.

Claim. Plain and residual nets of 18 layers end equally accurate, because 18 plain layers are not too many to optimise;
but the residual net gets there sooner. With 34 layers the residual net is also more accurate.

Source. He et al. 2016a, section 4.1, Fig. 4 and Table 2: top-1 error on ImageNet (10-crop) of 27.94 and 28.54 % for
plain nets of 18 and 34 layers, 27.88 and 25.03 % for residual ones; "the ResNet eases the optimization by providing
faster convergence at the early stage".

Here: the blocks of those nets, 2-2-2-2 and 3-4-6-3, with a quarter of their width (16-32-64-128) after a 3×3
convolution, on pictures of half the size. Twins start with the same weights and see the same batches in the same order.

Speed: the number of epochs until the residual net reaches the training error that its plain twin with the same seed has
halfway through the training, divided by the twin's number of epochs. Between epochs the error is interpolated linearly.

Reproduced if four conditions hold for the means over three seeds. At 18 layers the two test errors are within 2 points
of each other. At 34 layers the test error of the residual net is below that of its twin by more than the larger of
their standard deviations, and by more than at 18 layers. At 18 layers the residual net needs at most nine tenths of its
twin's epochs, in the median over the seeds.

The first condition is ill-posed for a training that ends early, as runs showed: the net that learns faster is then
still ahead. Look at the curves, too: have they met? (The paper made 600,000 steps, on 1.28 million images.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.models.plain import PlainBlock
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.random import manual_seed
from tinyres.study.labs.drawing import COLOURS, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.scores import better, last, mean_and_spread
from tinyres.study.labs.twins import KINDS, of_all_twins, sizes_of
from tinyres.study.labs.workbench import Curve, Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "18 and 34 layers: what residual nets gain in speed and in accuracy"
MINUTES = 4.5

COUNTS = {"18": (2, 2, 2, 2), "34": (3, 4, 6, 3)}
WIDTHS = (16, 32, 64, 128)
EQUAL, FASTER = 2.0, 0.9  # points of test error; fraction of the epochs
PAPER = {"plain": {"18": 27.94, "34": 28.54}, "residual": {"18": 27.88, "34": 25.03}}
STYLES = {"18": (1.2, ":"), "34": (2.2, "-")}


def network(kind: str, depth: str, classes: int, seed: int) -> ResNet:
    manual_seed(seed)
    block = partial(BasicBlock, shortcut="A") if kind == "residual" else PlainBlock
    return ResNet(block, COUNTS[depth], WIDTHS, classes)


def compute(bench: Workbench) -> Results:
    seeds, epochs = bench.seeds(3, 5), bench.epochs(6, 30)
    sets = bench.load((2000, 1000), half=True)

    def train(kind: str, depth: str, seed: int) -> Curve:
        make = partial(network, kind, depth, len(sets[0].classes))
        return bench.trained(f"{kind} four stages {depth}", make, sets, seed=seed, epochs=epochs, lr=0.1)[1]

    return {"curves": of_all_twins(bench, COUNTS, seeds, train), "data": sizes_of(*sets)}


def epochs_to(curve: Curve, error: float) -> float:
    """The epoch at which the training error is first this low, interpolated linearly; before the first it is chance."""
    errors = [0.9, *(line["train_error"] for line in curve)]
    for k in range(1, len(errors)):
        if errors[k] <= error:
            return k - (error - errors[k]) / (errors[k - 1] - errors[k])
    return float(len(curve))


def speed(results: Results, depth: str) -> float:
    """As the lab's docstring defines it: the median over the seeds."""
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
    head = (
        "net",
        "layers",
        "training error, %",
        "test error, %",
        "epochs to the plain net's error at half time, its = 1",
    )
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
