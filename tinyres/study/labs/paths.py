"""The gradient of a residual net, split exactly: into identity and branch at every block, and by path length.

Claim. A block y = relu(F(x) + x) returns gx = (∂F/∂x)ᵀ·g + g, with g = gy where y > 0: one part through the branch and
one through the identity, the 1 of 1 + ∂F. Over n blocks, the product has 2ⁿ paths, of which n-choose-k go through k
branches. Their gradients add up to the whole gradient. Short paths carry most of it, though most paths are long.

    G_k ← identity part of G_k + branch part of G_{k−1}        from the last block back to the first

Source. He et al. 2016b, eq. 5, for 1 + ∂F; Veit, Wilber & Belongie 2016, section 4.3, for path lengths.

Measured in evaluation mode and float64, for a trained net. Each block runs with two leaves that hold the same x, one
for the branch and one for the shortcut, so that autograd itself splits the gradient.

Reproduced if, for each of three seeds, the parts add up to the whole gradient to a relative 1e-10 at every block and
over all lengths; and if, in the median over the seeds, the average length of a path after training, weighted by the
norm of G_k, is below n/2, the average over all paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.data import Loader, channel_statistics
from tinyres.models.resnet import BasicBlock, ResNet
from tinyres.nn import functional as F
from tinyres.nn.fused import unfused
from tinyres.study.labs.drawing import BLUE, GREY, VERMILION, tidy
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import sizes_of, trained_twin, twin
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "the gradient, split into identity and branch, and by path length"
MINUTES = 1.0

AGREEMENT, IMAGES = 1e-10, 16


class SplitBlock:
    """A block applied to one input; `back` splits a gradient between its two ways."""

    def __init__(self, block: BasicBlock, x: np.ndarray):
        self.branch, self.shortcut = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
        with unfused():
            residual = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(self.branch)))))
            self.y = F.relu(residual + block.downsample(self.shortcut))

    def back(self, gy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the part of gx through the identity, the part through the branch)"""
        self.branch.grad = self.shortcut.grad = None
        self.y.backward(gy, retain_graph=True)
        assert self.branch.grad is not None and self.shortcut.grad is not None
        return self.shortcut.grad, self.branch.grad


def split(model: ResNet, images: np.ndarray, labels: np.ndarray) -> Results:
    """The norms of the parts at every block and for every length, and how far their sums are from autograd's."""
    model.eval()
    blocks = [block for stage in model.stages() for block in stage.children()]
    stem = model.stem(Tensor(images)).detach()
    inputs, splits = [stem.data], []
    for block in blocks:
        assert isinstance(block, BasicBlock)
        splits.append(SplitBlock(block, inputs[-1]))
        inputs.append(splits[-1].y.data)

    whole = whole_gradients(model, stem.data, labels)
    by_length = [whole[-1]]  # G_0: the gradient at the last block's output
    shares, errors = [], []
    for k in reversed(range(len(blocks))):
        parts = [splits[k].back(g) for g in by_length]
        identity, branch = [part[0] for part in parts], [part[1] for part in parts]
        none = np.zeros_like(identity[0])
        by_length = [a + b for a, b in zip([*identity, none], [none, *branch], strict=True)]
        total = np.sum(identity, 0), np.sum(branch, 0)
        shares.append([float(np.linalg.norm(part)) for part in total])
        errors.append(float(np.linalg.norm(total[0] + total[1] - whole[k]) / np.linalg.norm(whole[k])))
    return {
        "identity_and_branch": shares[::-1],
        "by_length": [float(np.linalg.norm(g)) for g in by_length],
        "whole": float(np.linalg.norm(whole[0])),
        "largest_error": max(errors),
    }


def whole_gradients(model: ResNet, stem: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Autograd's gradient of the loss at every block's input and at the last block's output."""
    values = [Tensor(stem, requires_grad=True)]
    for stage in model.stages():
        for block in stage.children():
            values.append(block(values[-1]))
            values[-1].retain_grad()
    scores = model.fc(F.adaptive_avg_pool2d(values[-1], 1).flatten(1))
    F.cross_entropy(scores, labels).backward()
    return [value.grad for value in values if value.grad is not None]


def compute(bench: Workbench) -> Results:
    depth, epochs, seeds = bench.choose(20, 56), bench.epochs(4, 30), bench.seeds(3, 3)
    sets = bench.load((3000, 1000))
    mean, std = channel_statistics(sets[0])
    images, labels = next(Loader(sets[1], IMAGES, mean=mean, std=std, dtype="float64").epoch(0))

    def run(seed: int) -> Results:
        new = twin("residual", depth, len(sets[0].classes), seed)
        trained, _ = trained_twin(bench, "residual", depth, seed, sets, epochs)
        for model in (new, trained):
            model.double()
        return {
            "before training": split(new, images, labels),
            "after training": split(trained, images, labels),
        }

    runs = bench.each_seed("paths", seeds, run)
    return {"depth": depth, "blocks": (depth - 2) // 2, "data": sizes_of(*sets), "runs": runs}


def share_by_length(results: Results, when: str) -> np.ndarray:
    """The fraction of each length in the sum of all norms: the median over the seeds."""
    norms = np.array([run[when]["by_length"] for run in results["runs"]])
    return np.median(norms / norms.sum(1, keepdims=True), axis=0)


def average_length(by_length: Sequence[float]) -> float:
    """The average length of a path, weighted by the norms."""
    return float(np.average(np.arange(len(by_length)), weights=by_length))


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    n, after = results["blocks"], share_by_length(results, "after training")
    rows = [[k, comb(n, k), f"{share:.4f}", f"{share / comb(n, k):.2e}"] for k, share in enumerate(after)]
    return ("branches on the path", "paths", "share of the norms of their gradients", "per path"), rows


def verdict(results: Results) -> Verdict:
    error = max(when["largest_error"] for run in results["runs"] for when in run.values())
    length = median(average_length(run["after training"]["by_length"]) for run in results["runs"])
    half = results["blocks"] / 2
    return Verdict(
        error <= AGREEMENT and length < half,
        f"the parts add up to the gradient within {error:.1g}; weighted by their gradients, paths go through "
        f"{length:.1f} of {results['blocks']} branches on average, where the average path goes through {half:.1f}",
    )


def draw(results: Results, figure: Figure) -> None:
    blocks, lengths = figure.subplots(1, 2)
    parts = np.median([run["after training"]["identity_and_branch"] for run in results["runs"]], axis=0)
    place = np.arange(1, len(parts) + 1)
    blocks.bar(place - 0.2, parts[:, 0], 0.4, color=BLUE, label="through the identity: the 1")
    blocks.bar(place + 0.2, parts[:, 1], 0.4, color=VERMILION, hatch="//", label="through the branch: ∂F")
    blocks.set_ylim(0, 1.2 * parts.max())  # room for the legend
    tidy(blocks, "the two parts at every block", "block, from the input", "norm of the part of gx")
    n = results["blocks"]
    paths = np.array([comb(n, k) for k in range(n + 1)])
    for name, style in (("before training", "s--"), ("after training", "o-")):
        lengths.plot(
            share_by_length(results, name), style, color=BLUE if "after" in name else GREY, label=f"gradient, {name}"
        )
    lengths.plot(paths / paths.sum(), "^:", color=VERMILION, label="number of paths")
    lengths.set_ylim(0, 0.35)  # room for the legend
    tidy(lengths, f"by path length: {2**n:,} paths", "branches on the path", "share")
    title = f"ResNet-{results['depth']}: where the gradient comes through, medians over the seeds"
    figure.suptitle(title, fontweight="bold")
