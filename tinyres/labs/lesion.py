"""Lesions: a trained residual net hardly misses a block; a plain one is lost without it.

Claim. Deleting or swapping single blocks of a trained ResNet barely raises its error, as 2ⁿ paths become 2ⁿ⁻¹ and no
other path is touched; deleting a layer of a plain or VGG net cuts the only path there is. With several blocks removed
the residual net's error rises smoothly.

Source. Veit, Wilber & Belongie 2016, "Residual networks behave like ensembles of relatively shallow networks", section
4 and Fig. 3 to 5.

Deleted: the block's F is 0, its shortcut stays. In the plain net, the two layers of a block are taken out where input
and output have one shape (elsewhere there would be nothing to connect). Swapped: two neighbouring blocks of one shape.

Reproduced if, in the median over three seeds, removing one block (of those that keep the shape) costs the residual net
less than 10 points of test error on average, and the plain one at least 20 points more than it costs the residual net.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.labs.drawing import PLAIN, RESIDUAL, tidy
from tinyres.labs.fit import fit
from tinyres.labs.lab import Results, Verdict
from tinyres.labs.twins import KINDS, learning_rate, sizes_of, twin
from tinyres.labs.workbench import Workbench
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.nn import Identity, Module
from tinyres.random import generator
from tinyres.training.evaluate import evaluate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "error of a trained net when blocks are deleted or swapped"
MINUTES = 3.0

LITTLE, MUCH = 10.0, 20.0  # points of error
COLOURS = {"plain": PLAIN, "residual": RESIDUAL}


def same_shape_blocks(model: ResNet) -> list[str]:
    """The paths of the blocks whose input and output have one shape: all but the first of the later stages."""
    paths = [
        f"layer{stage + 1}.{k}" for stage, blocks in enumerate(model.stages()) for k, _ in enumerate(blocks.children())
    ]
    return [path for path in paths if path.startswith("layer1.") or not path.endswith(".0")]


@contextmanager
def replaced(model: ResNet, modules: dict[str, Module]) -> Iterator[None]:
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


def lesions(model: ResNet, batches: Loader, most: int, draws: np.random.Generator) -> Results:
    """Test error in percent: whole, without each block, with neighbours swapped, and without 1, 2, … at random."""

    def error(modules: dict[str, Module]) -> float:
        with replaced(model, modules):
            return 100 * (1 - evaluate(model, batches.epoch(0)).accuracy)

    paths = same_shape_blocks(model)
    removed = {path: without(model.get_submodule(path)) for path in paths}
    neighbours = [(a, b) for a, b in pairwise(paths) if a.split(".")[0] == b.split(".")[0]]
    several = [
        mean(error({path: removed[path] for path in draws.choice(paths, count, replace=False)}) for _ in range(3))
        for count in range(1, most + 1)
    ]
    return {
        "whole": error({}),
        "deleted": {path: error({path: module}) for path, module in removed.items()},
        "swapped": {
            f"{a} and {b}": error({a: model.get_submodule(b), b: model.get_submodule(a)}) for a, b in neighbours
        },
        "several": several,
    }


def run(kind: str, depth: int, seed: int, sets: tuple[Dataset, Dataset], epochs: int) -> Results:
    model = twin(kind, depth, len(sets[0].classes), seed)
    fit(model, *sets, epochs=epochs, lr=learning_rate(depth), seed=seed)
    average, deviation = channel_statistics(sets[0])
    batches = Loader(sets[1], 250, mean=average, std=deviation)
    return lesions(model, batches, len(same_shape_blocks(model)) - 1, generator(seed, "lesion"))


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(20, 56), bench.seeds(3, 3)
    epochs, sets = bench.epochs(6, 30), bench.load(*bench.choose((4000, 500), (None, 2000)))
    nets = {
        kind: [bench.part(f"{kind} seed {seed}", partial(run, kind, depth, seed, sets, epochs)) for seed in seeds]
        for kind in KINDS
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
    plain, residual = (cost(results["nets"][kind], "deleted") for kind in KINDS)
    return Verdict(
        residual < LITTLE and plain >= residual + MUCH,
        f"without one block the residual net's error rises by {residual:.1f} points, the plain net's by {plain:.1f}",
    )


def draw(results: Results, figure: Figure) -> None:
    single, several = figure.subplots(1, 2, sharey=True)
    for offset, (kind, runs) in zip((-0.2, 0.2), results["nets"].items(), strict=True):
        names = list(runs[0]["deleted"])
        errors = np.array([list(run["deleted"].values()) for run in runs])
        place = np.arange(len(names))
        hatch = "//" if kind == "plain" else ""
        single.bar(place + offset, np.median(errors, 0), 0.4, color=COLOURS[kind], hatch=hatch, label=kind)
        whole = median(run["whole"] for run in runs)
        single.axhline(whole, color=COLOURS[kind], linestyle=":", label=f"{kind}, whole: {whole:.0f} %")
        counts = np.median([[run["whole"], *run["several"]] for run in runs], axis=0)
        several.plot(counts, "s--" if kind == "plain" else "o-", color=COLOURS[kind], label=kind)
    single.set_xticks(place, [name.removeprefix("layer") for name in names], rotation=45)
    single.set_ylim(0, 135)  # room for the legend
    tidy(single, "one block deleted", "block: stage.place", "test error, %")
    tidy(several, "several deleted at random", "blocks deleted")
    figure.suptitle(f"Lesions of trained {results['depth']}-layer nets", fontweight="bold")
