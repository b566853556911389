"""Bottlenecks: three thin layers for the price of two, as long as the shortcut is the identity.

Claim. A bottleneck block (1×1 down to w channels, 3×3 there, 1×1 up to 4w) costs about as much as a basic block of
width w and has one layer more: at equal cost the net is deeper and more accurate. Its shortcut joins the two wide ends.
There, a projection costs about as much as the whole block; in a basic block it costs little.

    weights, and multiply-adds per pixel                 basic                 bottleneck
    F                                                    2·9w² = 18w²          4w² + 9w² + 4w² = 17w²
    1×1 projection                                       w² (6 % more)         (4w)² = 16w² (94 % more)

Source. He et al. 2016a, section 4.1 and Fig. 5: "If the identity shortcut in Fig. 5 (right) is replaced with
projection, one can show that the time complexity and model size are doubled"; Table 3: on ImageNet ResNet-34 B ends at
24.52 % top-1 error and ResNet-50, with as many blocks, at 22.85 %.

Here: n blocks in each of three stages, basic or bottleneck, with identities everywhere (option A) or projections
everywhere (option C). The costs are those of images of 32×32 pixels. Training uses images of half that size, so that
there is time for enough steps (at full size, 96 steps left every bottleneck net where it began). Even so the deeper
nets are still learning when the default run ends; --full gives them time.

Reproduced if all of this holds. With identities, the multiply-adds of the two nets are within 10 % of each other.
Within a stage, a projection makes the multiply-adds of a bottleneck 1.8 to 2.2 times as many, and those of a basic
block less than 1.1 times. Projections slow down a training step of the bottleneck net by a larger factor than one of
the basic net. In the mean over the seeds, the bottleneck net's test error is below the basic net's by more than the
larger of their standard deviations, and projections do not lower it further by more than the larger of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.data import Dataset
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.models.resnet_imagenet import Bottleneck
from tinyres.random import manual_seed
from tinyres.study.labs.cost import costs, multiply_adds
from tinyres.study.labs.drawing import BLUE, GREEN, GREY, ORANGE, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.scores import better, last, mean_and_spread
from tinyres.study.labs.twins import learning_rate, sizes_of, trained_twin
from tinyres.study.labs.workbench import Curve, Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "basic and bottleneck blocks, and what projections cost in each"
MINUTES = 3.5

SIZES = 2, 9  # blocks in a stage: of the default run and of the full run
NEAR, DOUBLED, LITTLE = 1.1, (1.8, 2.2), 1.1  # factors of multiply-adds
BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}
OPTIONS = {"identity": "A", "projection": "C"}
NETS = [f"{block}, {option}" for block in BLOCKS for option in OPTIONS]
TRAINED = ["basic, identity", "bottleneck, identity", "bottleneck, projection"]
COLOURS = dict(zip(NETS, (BLUE, GREY, GREEN, ORANGE), strict=True))


def network(name: str, n: int, classes: int) -> ResNet:
    """n blocks in each of three stages, with 3×3 convolutions of 16, 32 and 64 channels."""
    block, option = name.split(", ")
    return ResNet(partial(BLOCKS[block], shortcut=OPTIONS[option]), (n, n, n), (16, 32, 64), classes)


def depth(name: str, n: int) -> int:
    """The number of layers from x to the scores, without projections."""
    return (6 if name.startswith("basic") else 9) * n + 2


def block_costs() -> dict[str, int]:
    """The multiply-adds of one block of width 16 in the first stage, with 32×32 pixels."""
    found = {}
    for name in NETS:
        block, option = name.split(", ")
        channels = 16 if block == "basic" else 64
        found[name] = multiply_adds(BLOCKS[block](channels, 16, 1, OPTIONS[option]), (channels, 32, 32))
    return found


def new(name: str, n: int, classes: int, seed: int) -> ResNet:
    manual_seed(seed)
    return network(name, n, classes)


def train(bench: Workbench, name: str, n: int, sets: tuple[Dataset, Dataset], epochs: int, seed: int) -> Curve:
    if name == "basic, identity":
        return trained_twin(bench, "residual", depth(name, n), seed, sets, epochs)[1]
    make, lr = partial(new, name, n, len(sets[0].classes)), learning_rate(depth(name, n))
    return bench.trained(f"{name.replace(',', '')} {n}", make, sets, seed=seed, epochs=epochs, lr=lr)[1]


def compute(bench: Workbench) -> Results:
    n, seeds = bench.choose(*SIZES), bench.seeds(3, 5)
    epochs, sets = bench.epochs(6, 30), bench.load((2500, 1000), half=True)
    classes = len(sets[0].classes)
    return {
        "n": n,
        "data": sizes_of(*sets),
        "block": block_costs(),
        "cost": bench.part("cost", lambda: costs({name: network(name, n, classes) for name in NETS}, classes)),
        "curves": {
            name: bench.each_seed(name, seeds, partial(train, bench, name, n, sets, epochs)) for name in TRAINED
        },
    }


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = []
    for name, cost in results["cost"].items():
        runs = results["curves"].get(name)
        rows.append(
            [
                name,
                depth(name, results["n"]),
                f"{cost['parameters']:,}",
                f"{results['block'][name] / 1e6:.2f} M",
                f"{cost['multiply_adds'] / 1e6:.1f} M",
                f"{cost['step_ms']:.0f}",
                mean_and_spread(last(runs)) if runs else "not trained",
            ]
        )
    head = ("blocks, shortcuts", "layers", "parameters", "multiply-adds of a block", "of the net")
    return (*head, "step, ms", "test error, %"), rows


def verdict(results: Results) -> Verdict:
    def projections(what: dict[str, float], block: str) -> float:
        """The factor by which projections raise the cost of a block or net."""
        return what[f"{block}, projection"] / what[f"{block}, identity"]

    adds, step = ({name: results["cost"][name][what] for name in NETS} for what in ("multiply_adds", "step_ms"))
    equal = adds["bottleneck, identity"] / adds["basic, identity"]
    basic, bottleneck, projected = (last(results["curves"][name]) for name in TRAINED)

    costly = (
        1 / NEAR < equal < NEAR
        and DOUBLED[0] <= projections(results["block"], "bottleneck") <= DOUBLED[1]
        and projections(results["block"], "basic") < LITTLE
        and projections(step, "bottleneck") > projections(step, "basic")
    )
    return Verdict(
        costly and better(bottleneck, basic) and not better(projected, bottleneck),
        f"projections make a bottleneck {projections(results['block'], 'bottleneck'):.2f} times as costly, a basic "
        f"block {projections(results['block'], 'basic'):.2f} times (a step takes {projections(step, 'bottleneck'):.2f} "
        f"and {projections(step, 'basic'):.2f} times as long); at {equal:.2f} times the multiply-adds bottlenecks end "
        f"at {bottleneck.mean():.1f} % test error, basic blocks at {basic.mean():.1f} %, bottlenecks with projections "
        f"at {projected.mean():.1f} %",
    )


def draw(results: Results, figure: Figure) -> None:
    block, step, error = figure.subplots(1, 3)
    places, labels = np.arange(len(NETS)), [name.replace(", ", "\n") for name in NETS]
    colours = [COLOURS[name] for name in NETS]
    bars = block.bar(places, [results["block"][name] / 1e6 for name in NETS], color=colours)
    block.bar_label(bars, fmt="%.2f")
    bars = step.bar(places, [results["cost"][name]["step_ms"] for name in NETS], color=colours)
    step.bar_label(bars, fmt="%.0f")
    for axes in (block, step):
        axes.set_xticks(places, labels, fontsize=8)
        axes.set_axisbelow(True)
    for name, style in zip(TRAINED, ("o-", "s-", "D--"), strict=True):
        lines = np.array([[100 * line["test_error"] for line in run] for run in results["curves"][name]])
        epochs = np.arange(1, lines.shape[1] + 1)
        label = f"{name}: {lines[:, -1].mean():.1f} %"
        error.plot(epochs, lines.mean(0), style, color=COLOURS[name], label=label)
        error.fill_between(epochs, lines.min(0), lines.max(0), color=COLOURS[name], alpha=0.15, linewidth=0)
    error.set_ylim(0, None)
    error.locator_params(axis="x", integer=True)
    tidy(block, "a block, 32×32 pixels", "blocks, shortcuts", "million multiply-adds")
    tidy(step, "the net's training step, 64 images", "blocks, shortcuts", "milliseconds")
    tidy(error, "mean and range of the seeds", "epoch", "test error, %")
    figure.suptitle(f"Basic and bottleneck blocks, {results['n']} a stage: {results['data']}", fontweight="bold")
