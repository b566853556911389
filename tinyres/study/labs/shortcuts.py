"""Shortcuts: the identity is enough, projections add little, and a block needs two layers.

Claim. Where the shape changes, a shortcut may pad with zeros (A, no parameters) or project by a 1×1 convolution (B); or
all shortcuts may project (C). All three are far better than no shortcut at all, and differ little from each other: the
addition matters, not the projection. A block of a single layer, y = relu(W·x + x), is nearly a linear layer, and gains
nothing over plain layers.

Source. He et al. 2016a, section 3.2 (one layer: "we have not observed advantages") and Table 3: on ImageNet ResNet-34
with A, B and C ends at 25.03, 24.52 and 24.19 % top-1 error; without shortcuts (plain-34, Table 2) at 28.54 %.

All nets have the same structure and the same number of 3×3 convolutions. The plain net, the net with A and the net of
one-layer blocks have exactly the same parameters and start with the same weights. B adds 2,752 parameters at every
depth.

Reproduced if three conditions hold for the mean test error over the seeds. A, B and C are each below the plain net by
more than the larger of the two standard deviations over the seeds. The largest difference among the three is smaller
than the gain of the worst of them over the plain net. The net of one-layer blocks is not below the plain net by more
than the larger of their standard deviations. The time of a step is shown and decides nothing.

The last condition fails in a short training, as runs showed: the plain net is then still learning (its *training* error
is the highest of all), and one-layer blocks with batch norm and ReLU learn faster, as nets with any addition seem to
do. The paper speaks of nets that were trained to the end; --full comes nearer to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.data import Dataset
from tinyres.models.plain import cifar_plain
from tinyres.models.resnet import Block, ResNet, cifar_resnet, make_shortcut
from tinyres.nn import BatchNorm2d, Conv2d
from tinyres.nn.fused import Normed
from tinyres.random import manual_seed
from tinyres.study.labs.cost import costs
from tinyres.study.labs.drawing import BLUE, GREEN, ORANGE, PLAIN, PURPLE, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.scores import better, last, mean_and_spread
from tinyres.study.labs.twins import learning_rate, sizes_of, trained_twin
from tinyres.study.labs.workbench import Curve, Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "no shortcut, options A, B and C, and one-layer blocks: cost and error"
MINUTES = 4.0

DEPTHS = 20, 56  # of the default run and of the full run


class OneLayerBlock(Block):
    """y = relu(W·x + x): one 3×3 convolution and the addition.

    x ──┬── conv1 ─ bn1 ──(+)── relu ── y
        └──── shortcut ────┘
    """

    def __init__(self, channels_in: int, width: int, stride: int):
        super().__init__()
        self.channels_out = width
        self.conv1 = Conv2d(channels_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.downsample = make_shortcut("A", channels_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        return (Normed(self.bn1, self.conv1(x)) + self.downsample(x)).relu()


def one_layer_net(depth: int, classes: int) -> ResNet:
    """Like cifar_plain, with 2n one-layer blocks in a stage instead of n blocks of two layers."""
    count = (depth - 2) // 3
    return ResNet(OneLayerBlock, (count, count, count), (16, 32, 64), classes)


NETS: dict[str, Callable[[int, int], ResNet]] = {
    "none": cifar_plain,
    "A": partial(cifar_resnet, shortcut="A"),
    "B": partial(cifar_resnet, shortcut="B"),
    "C": partial(cifar_resnet, shortcut="C"),
    "one layer": one_layer_net,
}
OPTIONS = ("A", "B", "C")
TWINS = {"none": "plain", "A": "residual"}  # nets that other labs train, too
PAPER = {"none": "28.54", "A": "25.03", "B": "24.52", "C": "24.19", "one layer": "no advantage"}
COLOURS = {"none": PLAIN, "A": BLUE, "B": GREEN, "C": PURPLE, "one layer": ORANGE}
STYLES = {"none": "s--", "A": "o-", "B": "^-", "C": "v-", "one layer": "D:"}


def new(name: str, depth: int, classes: int, seed: int) -> ResNet:
    manual_seed(seed)
    return NETS[name](depth, classes)


def train(bench: Workbench, name: str, depth: int, sets: tuple[Dataset, Dataset], epochs: int, seed: int) -> Curve:
    if name in TWINS:
        return trained_twin(bench, TWINS[name], depth, seed, sets, epochs)[1]
    make = partial(new, name, depth, len(sets[0].classes))
    return bench.trained(f"{name} {depth}", make, sets, seed=seed, epochs=epochs, lr=learning_rate(depth))[1]


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(*DEPTHS), bench.seeds(3, 5)
    epochs, sets = bench.epochs(4, 30), bench.load((3000, 1000))
    classes = len(sets[0].classes)
    return {
        "depth": depth,
        "data": sizes_of(*sets),
        "cost": bench.part("cost", lambda: costs({name: make(depth, classes) for name, make in NETS.items()}, classes)),
        "curves": {
            name: bench.each_seed(name, seeds, partial(train, bench, name, depth, sets, epochs)) for name in NETS
        },
    }


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = []
    for name, cost in results["cost"].items():
        errors = [last(results["curves"][name], which) for which in ("train_error", "test_error")]
        rows.append(
            [
                name,
                f"{cost['parameters']:,}",
                f"{cost['multiply_adds'] / 1e6:.1f} M",
                f"{cost['step_ms']:.0f}",
                *map(mean_and_spread, errors),
                PAPER[name],
            ]
        )
    head = ("shortcut", "parameters", "multiply-adds", "step, ms", "training error, %", "test error, %")
    return (*head, "paper, ImageNet, 34 layers"), rows


def verdict(results: Results) -> Verdict:
    error = {name: last(results["curves"][name]) for name in NETS}
    mean = {name: float(values.mean()) for name, values in error.items()}

    gains = {name: better(error[name], error["none"]) for name in NETS}
    worst, best = (choose(mean[name] for name in OPTIONS) for choose in (max, min))
    apart = worst - best < mean["none"] - worst
    return Verdict(
        all(gains[name] for name in OPTIONS) and apart and not gains["one layer"],
        f"test error {mean['none']:.1f} % without shortcuts; A {mean['A']:.1f}, B {mean['B']:.1f}, C {mean['C']:.1f}, "
        f"which are {worst - best:.1f} points apart; one-layer blocks {mean['one layer']:.1f}, "
        f"{'a gain' if gains['one layer'] else 'no gain'} beyond the deviation over the seeds",
    )


def draw(results: Results, figure: Figure) -> None:
    curves, ends, cost = figure.subplots(1, 3, width_ratios=(3, 2, 3))
    for place, name in enumerate(NETS):
        lines = [[100 * line["test_error"] for line in run] for run in results["curves"][name]]
        epochs = np.arange(1, len(lines[0]) + 1)
        curves.plot(epochs, np.mean(lines, 0), STYLES[name], color=COLOURS[name], label=name)
        error = last(results["curves"][name])
        ends.plot(np.full(len(error), place), error, STYLES[name][0], color=COLOURS[name], alpha=0.6)
        ends.hlines(error.mean(), place - 0.35, place + 0.35, color=COLOURS[name], linewidth=2.5)
    curves.set_ylim(0, None)
    curves.locator_params(axis="x", integer=True)
    ends.set_ylim(0, None)
    ends.set_xticks(range(len(NETS)), [name.replace(" ", "\n") for name in NETS])
    tidy(curves, "in training, mean", "epoch", "test error, %")
    tidy(ends, "at the end: seeds, mean", "shortcut", "")
    whats = {"parameters": "parameters", "multiply_adds": "multiply-adds", "step_ms": "time of a step"}
    for offset, (what, label), colour, hatch in zip(
        (-0.27, 0, 0.27), whats.items(), ("#444444", "#888888", "#cccccc"), ("", "//", ".."), strict=True
    ):
        extra = [100 * (results["cost"][name][what] / results["cost"]["none"][what] - 1) for name in NETS]
        cost.bar(np.arange(len(NETS)) + offset, extra, 0.27, label=label, color=colour, hatch=hatch, edgecolor="white")
    cost.axhline(0, color="black", linewidth=0.8)
    cost.set_axisbelow(True)
    cost.set_xticks(range(len(NETS)), [name.replace(" ", "\n") for name in NETS])
    tidy(cost, "cost", "shortcut", "more than without shortcuts, %")
    figure.suptitle(f"Shortcuts in {results['depth']}-layer nets: {results['data']}", fontweight="bold")
