"""Lesions: a trained residual net hardly misses a block; a plain one, or a VGG, is lost without it.

Claim. Deleting or swapping single blocks of a trained ResNet barely raises its error, as 2ⁿ paths become 2ⁿ⁻¹ and no
other path is touched; deleting a layer of a plain or VGG net cuts the only path there is. With several blocks removed
the residual net's error rises smoothly.

Source. Veit, Wilber & Belongie 2016, "Residual networks behave like ensembles of relatively shallow networks", section
4 and Fig. 3 to 5: without any one of its layers, their VGG guesses; of their ResNet-110, hardly a block is missed.

Deleted: the block's F is 0, its shortcut stays. In the plain net, the two layers of a block are taken out where input
and output have one shape (elsewhere there would be nothing to connect); in the VGG, which has no blocks, a single layer
(with its batch norm and ReLU). Swapped: two neighbours of one shape. The VGG has 12 convolutions of 16 to 128 channels.

Reproduced if, in the median over three seeds, removing one block (of those that keep the shape) costs the residual net
less than 10 points of test error on average, and each of the others at least 20 points more than the residual net.

Ill-posed for nets that have learnt little: of ten classes nine in ten are missed by guessing, so a net with an error of
75 % can lose no more than 15 points, whatever is cut. Read the costs beside the error of the whole net.
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

DEPTHS = 32, 56  # the default run's, and the full one's
LITTLE, MUCH = 10.0, 20.0  # points of error
IMAGES = 400  # of the test set, for every lesion
WIDTHS = (16,) * 2, (32,) * 2, (64,) * 4, (128,) * 4  # the VGG's: four stages, so that halved pictures will do
LOOKS = {"plain": (PLAIN, "//", "s--"), "VGG": (GREEN, "..", "^:"), "residual": (RESIDUAL, "", "o-")}


def blocks(model: Module) -> dict[str, str]:
    """{stage.place: path} of the blocks, or a VGG's layers, whose input and output have one shape."""
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
    """Does its first convolution read as many channels as its last one writes?"""
    weights = [module.weight.shape for module in block.modules() if isinstance(module, Conv2d)]
    return weights[0][1] == weights[-1][0]


@contextmanager
def replaced(model: Module, modules: dict[str, Module]) -> Iterator[None]:
    """Inside, other modules stand at these paths."""
    before = {path: model.get_submodule(path) for path in modules}
    try:
        for path, module in modules.items():
            model.set_submodule(path, module)
        yield
    finally:
        for path, module in before.items():
            model.set_submodule(path, module)


def without(block: Module) -> Module:
    """What is left of a block once its layers are gone."""
    return block.downsample if isinstance(block, BasicBlock) else Identity()


def lesions(model: Module, batches: Loader, draws: np.random.Generator) -> Results:
    """Test error in percent: whole, without each block, with neighbours swapped, and without 1, 2, … at random."""

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


def run(bench: Workbench, kind: str, depth: int, seed: int, sets: tuple[Dataset, Dataset], epochs: int) -> Results:
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
    epochs = bench.epochs(6, 30)
    sets = bench.load(*bench.choose((3000, 1000), (None, None)), half=bench.choose(True, False))
    nets = {
        kind: [
            bench.part(f"{kind} seed {seed}", partial(run, bench, kind, depth, seed, sets, epochs)) for seed in seeds
        ]
        for kind in LOOKS
    }
    return {"nets": nets, "depth": depth, "data": sizes_of(*sets)}


def cost(runs: Sequence[Results], what: str) -> float:
    """Points of error that one deletion, or one swap, costs on average; the median over the seeds."""
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
