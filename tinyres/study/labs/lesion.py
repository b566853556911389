"""Lesions: a trained residual net hardly notices when a block is removed; a plain net or a VGG fails without it.

Claim. Deleting or swapping single blocks of a trained ResNet barely raises its error: 2ⁿ paths become 2ⁿ⁻¹, and no
other path changes. Deleting a layer of a plain net or a VGG cuts the only path. When several blocks are removed, the
residual net's error rises smoothly.

Source. Veit, Wilber & Belongie 2016, "Residual networks behave like ensembles of relatively shallow networks", section
4 and Fig. 3 to 5: without any one of its layers, their VGG guesses; their ResNet-110 hardly notices the loss of a
block.

Deleted means: the block's F is 0, its shortcut stays. In the plain net, the two layers of a block are removed if its
input and output have the same shape (otherwise nothing could be connected). The VGG has no blocks; a single layer is
removed (with its batch norm and ReLU). Swapped: two neighbours of the same shape. The VGG has 12 convolutions of 16 to
128 channels.

Reproduced if, in the median over three seeds, removing one block (of those that keep the shape) costs the residual net
less than 10 points of test error on average, and each of the others at least 20 points more than the residual net.

Ill-posed for nets that have learnt little: guessing misses nine in ten images of ten classes, so a net with an error of
75 % can lose no more than 15 points, whatever is cut. Compare the costs with the error of the whole net.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.models.resnet import BasicBlock, Block
from tinyres.models.vgg import CifarVGG
from tinyres.nn import Conv2d, Identity, MaxPool2d, Module
from tinyres.random import generator, manual_seed
from tinyres.study.labs.drawing import GREEN, PLAIN, RESIDUAL, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import learning_rate, sizes_of, trained_twin
from tinyres.study.labs.workbench import Workbench
from tinyres.train import evaluate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "error of a trained net when blocks are deleted or swapped"
MINUTES = 4.5

DEPTHS = 32, 56  # of the default run and of the full run
LITTLE, MUCH = 10.0, 20.0  # points of error
IMAGES = 400  # of the test set, to measure each lesion
WIDTHS = (16,) * 2, (32,) * 2, (64,) * 4, (128,) * 4  # of the VGG: only four stages, because the pictures are halved
LOOKS = {"plain": (PLAIN, "//", "s--"), "VGG": (GREEN, "..", "^:"), "residual": (RESIDUAL, "", "o-")}


def blocks(model: Module) -> dict[str, str]:
    """{stage.place: path} of the blocks, or a VGG's layers, whose input and output have the same shape."""
    if isinstance(model, CifarVGG):
        found, stage, place = {}, 1, 0
        for k, module in enumerate(model.get_submodule("features").children()):
            if isinstance(module, MaxPool2d):
                stage, place = stage + 1, 0
            else:
                found[f"{stage}.{place}"], place = f"features.{k}", place + 1
    else:
        paths = [path for path, module in model.named_modules() if isinstance(module, Block)]
        found = {path.removeprefix("layer"): path for path in paths}
    return {place: path for place, path in found.items() if keeps_the_shape(model.get_submodule(path))}


def keeps_the_shape(block: Module) -> bool:
    """Does the first convolution read as many channels as the last one writes?"""
    weights = [module.weight.shape for module in block.modules() if isinstance(module, Conv2d)]
    return weights[0][1] == weights[-1][0]


@contextmanager
def replaced(model: Module, modules: dict[str, Module]) -> Iterator[None]:
    """Inside the block, these modules replace those at the same paths."""
    before = {path: model.get_submodule(path) for path in modules}
    try:
        for path, module in modules.items():
            model.set_submodule(path, module)
        yield
    finally:
        for path, module in before.items():
            model.set_submodule(path, module)


def without(block: Module) -> Module:
    """What is left of a block when its layers are removed."""
    return block.downsample if isinstance(block, BasicBlock) else Identity()


def lesions(model: Module, batches: Loader, draws: np.random.Generator) -> Results:
    """Test errors in percent: whole, without each block, with neighbours swapped, and without 1, 2, … random blocks."""

    def error(modules: dict[str, Module]) -> float:
        with replaced(model, modules):
            return 100 * (1 - evaluate(model, batches.epoch(0)).accuracy)

    paths = blocks(model)
    modules = {place: model.get_submodule(path) for place, path in paths.items()}
    neighbours = [(a, b) for a, b in pairwise(paths) if a.split(".")[0] == b.split(".")[0]]

    def deleted(places: Iterable[str]) -> float:
        return error({paths[place]: without(modules[place]) for place in places})

    return {
        "whole": error({}),
        "deleted": {place: deleted([place]) for place in paths},
        "swapped": {f"{a} and {b}": error({paths[a]: modules[b], paths[b]: modules[a]}) for a, b in neighbours},
        "several": [deleted(draws.choice(list(paths), count, replace=False)) for count in range(1, len(paths))],
    }


def vgg(classes: int, seed: int) -> CifarVGG:
    manual_seed(seed)
    return CifarVGG(WIDTHS, classes)


def run(bench: Workbench, kind: str, depth: int, sets: tuple[Dataset, Dataset], epochs: int, seed: int) -> Results:
    model: Module
    if kind == "VGG":
        make, lr = partial(vgg, len(sets[0].classes)), learning_rate(depth)
        model, _ = bench.trained("vgg", make, sets, seed=seed, epochs=epochs, lr=lr)
    else:
        model, _ = trained_twin(bench, kind, depth, seed, sets, epochs)
    average, deviation = channel_statistics(sets[0])
    batches = Loader(sets[1].take(slice(IMAGES)), 200, mean=average, std=deviation)
    return lesions(model, batches, generator(seed, "lesion"))


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(*DEPTHS), bench.seeds(3, 3)
    epochs, sets = bench.epochs(6, 30), bench.load((3000, 1000))
    nets = {kind: bench.each_seed(kind, seeds, partial(run, bench, kind, depth, sets, epochs)) for kind in LOOKS}
    return {"nets": nets, "depth": depth, "data": sizes_of(*sets)}


def cost(runs: Sequence[Results], what: str) -> float:
    """The points of error that one deletion or swap costs on average: the median over the seeds."""
    return median(mean(run[what].values()) - run["whole"] for run in runs)


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    rows = [
        [
            kind,
            f"{median(run['whole'] for run in runs):.1f} %",
            f"{cost(runs, 'deleted'):+.1f}",
            f"{cost(runs, 'swapped'):+.1f}",
        ]
        for kind, runs in results["nets"].items()
    ]
    return ("net", "test error", "points more without a block", "with two swapped"), rows


def verdict(results: Results) -> Verdict:
    plain, vgg, residual = (cost(results["nets"][kind], "deleted") for kind in LOOKS)
    return Verdict(
        residual < LITTLE and min(plain, vgg) >= residual + MUCH,
        f"without one block the residual net's error rises by {residual:.1f} points, the plain net's by {plain:.1f}; "
        f"without one layer the VGG's by {vgg:.1f}",
    )


def draw(results: Results, figure: Figure) -> None:
    panels = figure.subplots(1, 4, sharey=True, width_ratios=(3, 2, 3, 4))
    for axes, (kind, (colour, hatch, style)) in zip(panels, LOOKS.items(), strict=False):
        runs = results["nets"][kind]
        names, errors = list(runs[0]["deleted"]), [list(run["deleted"].values()) for run in runs]
        whole = median(run["whole"] for run in runs)
        axes.bar(range(len(names)), np.median(errors, 0), 0.8, color=colour, hatch=hatch, edgecolor="white")
        axes.axhline(whole, color="black", linestyle="--", label=f"whole: {whole:.0f} %")
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        counts = np.median([[run["whole"], *run["several"]] for run in runs], axis=0)
        panels[3].plot(counts, style, color=colour, label=kind)
        tidy(
            axes, f"{kind}:\none {'layer' if kind == 'VGG' else 'block'} deleted", "which: stage.place", "test error, %"
        )
    for axes in panels[1:3]:
        axes.set_ylabel("")
    for axes in panels:
        axes.axhline(90, color="grey", linestyle=":", linewidth=1)
    panels[3].annotate("guessing", (0, 90), (0, 3), textcoords="offset points", color="grey")
    panels[0].set_ylim(0, 112)  # room for the legend
    tidy(panels[3], "several deleted at random", "blocks deleted (VGG: layers)")
    title = f"Lesions of nets of {results['depth']} layers, and of a VGG of 13: {results['data']}"
    figure.suptitle(title, fontweight="bold")
