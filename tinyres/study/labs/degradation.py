"""Degradation: deeper plain nets are worse, even on the training images; deeper residual nets are not.

Claim. A deeper plain net could copy a shallower one and let its other layers do nothing. Yet its *training error* is
higher, so the cause is not over-fitting. Its residual twin, with the same layers and identity additions, has no such
problem.

Source. He et al. 2016a, Fig. 1 and 6; Table 6 for CIFAR-10: ResNet-20/32/44/56/110 end at 8.75, 7.51, 7.17, 6.97 and
6.43 % test error. For its plain nets the paper prints curves but no table; it only says that plain-110 is above 60 %.
(One independent run gives 9.63, 9.92, 10.36 and 14.22 % for plain-20/32/44/56.)

Twins start with the same weights and see the same batches in the same order. They train on a one-cycle schedule, with
crop and flip.

Reproduced if three conditions hold for the means over the seeds. The training error of the deepest plain net is above
that of the shallowest by more than the larger of their standard deviations over the seeds. The training error of the
deepest residual net is below that of its plain twin by more than the larger of theirs. From the shallowest to the
deepest net, the error of the residual family grows less than that of the plain family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.study.labs.drawing import COLOURS, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.scores import better, last, mean_and_spread, spread
from tinyres.study.labs.twins import KINDS, of_all_twins, sizes_of, trained_twin
from tinyres.study.labs.workbench import Curve, Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "plain and residual twins of growing depth: training and test error"
MINUTES = 4.0

PAPER = {"residual": {"20": 8.75, "32": 7.51, "44": 7.17, "56": 6.97, "110": 6.43}, "plain": {}}


def compute(bench: Workbench) -> Results:
    depths, seeds = bench.choose([8, 20, 32], [20, 32, 44, 56, 110]), bench.seeds(3, 5)
    epochs, sets = bench.epochs(4, 30), bench.load((3000, 1000))

    def train(kind: str, depth: int, seed: int) -> Curve:
        return trained_twin(bench, kind, depth, seed, sets, epochs)[1]

    return {"curves": of_all_twins(bench, depths, seeds, train), "epochs": epochs, "data": sizes_of(*sets)}


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = []
    for kind in KINDS:
        for depth, runs in results["curves"][kind].items():
            errors = [last(runs, which) for which in ("train_error", "test_error")]
            rows.append([kind, depth, *map(mean_and_spread, errors), PAPER[kind].get(depth, "–")])
    return ("net", "layers", "training error, %", "test error, %", "paper, CIFAR-10 test"), rows


def verdict(results: Results) -> Verdict:
    depths = list(results["curves"]["plain"])
    shallow, deep = depths[0], depths[-1]
    ends = [(kind, depth) for kind in KINDS for depth in (shallow, deep)]
    error = {(kind, depth): last(results["curves"][kind][depth], "train_error") for kind, depth in ends}
    growth = {kind: error[kind, deep].mean() - error[kind, shallow].mean() for kind in KINDS}
    held = (
        better(error["plain", shallow], error["plain", deep])
        and better(error["residual", deep], error["plain", deep])
        and growth["residual"] < growth["plain"]
    )
    return Verdict(
        held,
        f"from {shallow} to {deep} layers the training error moves by {growth['plain']:+.2f} points in plain nets and "
        f"by {growth['residual']:+.2f} in residual ones; at {deep} layers plain has {error['plain', deep].mean():.2f} "
        f"%, residual {error['residual', deep].mean():.2f} %",
    )


def draw(results: Results, figure: Figure) -> None:
    panels = figure.subplots(1, 3)
    epochs = np.arange(1, results["epochs"] + 1)
    depths = list(results["curves"]["plain"])
    for axes, kind in zip(panels[:2], KINDS, strict=True):
        for depth, width in zip(depths, np.linspace(1, 3, len(depths)), strict=True):
            runs = results["curves"][kind][depth]
            for which, style in (("train_error", "--"), ("test_error", "-")):
                mean = np.mean([[100 * line[which] for line in run] for run in runs], axis=0)
                label = f"{depth} layers" if style == "-" else None
                axes.plot(
                    epochs, mean, style, color=COLOURS[kind], linewidth=width, alpha=0.4 + 0.2 * width, label=label
                )
        tidy(axes, f"{kind} nets\n(solid: test, dashed: training)", "epoch", "error, %" if kind == "plain" else "")
    top = max(axes.get_ylim()[1] for axes in panels[:2])
    for axes in panels[:2]:
        axes.set_ylim(0, top)
    for kind in KINDS:
        for which, style, marker in (("train_error", "--", "s"), ("test_error", "-", "o")):
            errors = [last(runs, which) for runs in results["curves"][kind].values()]
            label = f"{kind}, {'training' if which == 'train_error' else 'test'}"
            panels[2].errorbar(
                [int(depth) for depth in depths],
                [error.mean() for error in errors],
                [spread(error) for error in errors],
                fmt=marker + style,
                color=COLOURS[kind],
                capsize=3,
                label=label,
            )
    tidy(panels[2], "at the end:\nmean ± deviation over the seeds", "layers", "error, %")
    panels[2].set_xticks([int(depth) for depth in depths])
    figure.suptitle(f"Degradation: {results['data']}", fontweight="bold")
