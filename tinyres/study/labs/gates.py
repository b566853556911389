"""Gates: where the layers of a highway net compute something new, and where they pass their input on.

Claim. In a highway layer y = H(x)·T(x) + x·(1 − T(x)), a gate T = 0 passes x on, with the identity as derivative; with
T = 1 it is the plain layer H. A negative bias keeps the gates nearly closed at first. Training does not simply open
them: most biases fall even further, but the gates become selective, open for some inputs and closed for others.

Source. Srivastava, Greff & Schmidhuber 2015, "Training very deep networks", eq. 3 to 5, section 4.1 and Fig. 2 (nets of
50 fully connected layers).

Here: a convolutional highway net without batch norm. Every gate starts with a bias of −2, and there is no weight decay,
which would pull biases towards 0. Such a net learns slowly, in many small steps: batches of 32 images of half the size
leave time for them. Forward hooks on the gates record T over 200 test images. The selectivity of a layer is the
standard deviation of T over the images at each unit (channel and position), averaged over the units: 0 for a gate that
is always the same, 0.5 for one that is open for half of the images and closed for the other half.

Reproduced if a layer whose gates are forced shut gives y = x and gx = gy, and one whose gates are forced open gives y =
H(x) and H's gx, bit for bit; and if, in the median over three seeds, more than half of all gate biases end below −2,
the mean selectivity over the layers is higher after training than before, the mean of T over the layers is below 1/2
after training, and the net has learnt something (a test error below 60 %; guessing gives 90 %).

The condition on the biases is ill-posed for a short training, as runs showed: in about a thousand steps they move by a
hundredth (the verdict gives the number), so chance decides which half of them is the larger. What the gates have learnt
by then is in their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import mean, median
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyres.autograd import Tensor
from tinyres.data import Dataset, Loader, channel_statistics
from tinyres.models.highway import Highway, cifar_highway, convolutional
from tinyres.modes import no_grad
from tinyres.nn import Module, init
from tinyres.nn import functional as F
from tinyres.nn.module import Parameter
from tinyres.random import generator, manual_seed
from tinyres.study.labs.drawing import BLUE, GREY, VERMILION, tidy
from tinyres.study.labs.fit import fit
from tinyres.study.labs.lab import Results, Verdict
from tinyres.study.labs.twins import sizes_of
from tinyres.study.labs.workbench import Workbench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "what the gates of a highway net learn, layer by layer"
MINUTES = 3.5

DEPTHS = 14, 32  # of the default run and of the full run
GATE_BIAS, IMAGES, BATCH, LR, LEARNT = -2.0, 200, 32, 0.02, 0.6
TIMES = {"before": (GREY, "s--"), "after": (BLUE, "o-")}


def highway_layers(model: Module) -> list[Highway]:
    """All of the model's highway layers, the first one first."""
    return [module for module in model.modules() if isinstance(module, Highway)]


def gate_bias(layer: Highway) -> Parameter:
    return dict(layer.gate.named_parameters())["0.bias"]


def observe_gates(model: Module, images: np.ndarray) -> Results:
    """For every layer: the mean of T, its selectivity, the fraction of T above 1/2, and the biases of its gates."""
    found: list[np.ndarray] = []
    layers = highway_layers(model)
    hooks = [layer.gate.register_forward_hook(lambda gate, inputs, T: found.append(T.data)) for layer in layers]
    with no_grad():
        model(Tensor(images))
    for hook in hooks:
        hook.remove()
    return {
        "mean": [float(T.mean()) for T in found],
        "selectivity": [float(T.std(axis=0).mean()) for T in found],
        "open": [float((T > 0.5).mean()) for T in found],
        "biases": [gate_bias(layer).data.tolist() for layer in layers],
    }


def limits() -> dict[str, float]:
    """The largest differences between a layer with all gates forced and x or H, in forward and backward."""
    draws = generator(0, "gates")
    x, gy = (draws.standard_normal((2, 8, 6, 6)) for _ in range(2))
    found = {}
    for state, bias in (("shut", -1e4), ("open", 1e4)):
        layer = convolutional(8, GATE_BIAS)
        layer.double()
        init.constant_(gate_bias(layer), bias)  # T = sigmoid(±10,000 + …), which is 0 or 1
        ours, theirs = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
        y = layer(ours)
        y.backward(gy)
        expected = theirs if state == "shut" else F.relu(layer.transform(theirs))
        expected.backward(gy)
        assert ours.grad is not None and theirs.grad is not None
        found[f"{state}, y"] = float(np.abs(y.data - expected.data).max())
        found[f"{state}, gx"] = float(np.abs(ours.grad - theirs.grad).max())
    return found


def train(depth: int, sets: tuple[Dataset, Dataset], epochs: int, seed: int) -> Results:
    average, deviation = channel_statistics(sets[0])
    images, _ = next(Loader(sets[1], IMAGES, mean=average, std=deviation).epoch(0))
    manual_seed(seed)
    model = cifar_highway(depth, len(sets[0].classes), GATE_BIAS)
    before = observe_gates(model, images)
    curve = fit(model, *sets, epochs=epochs, lr=LR, batch_size=BATCH, weight_decay=0.0, seed=seed)
    return {"before": before, "after": observe_gates(model, images), "curve": curve}


def compute(bench: Workbench) -> Results:
    depth, seeds = bench.choose(*DEPTHS), bench.seeds(3, 3)
    epochs, sets = bench.epochs(12, 30), bench.load((3000, 500), half=True)
    return {
        "depth": depth,
        "data": sizes_of(*sets),
        "limits": limits(),
        "runs": bench.each_seed("highway", seeds, partial(train, depth, sets, epochs)),
    }


def by_layer(results: Results, when: str, what: str) -> list[float]:
    """A number for every layer: the median over the seeds."""
    return np.median([run[when][what] for run in results["runs"]], axis=0).tolist()


def mean_biases(results: Results, when: str) -> list[float]:
    """The mean bias of every layer's gates: the median over the seeds."""
    return np.median([[mean(biases) for biases in run[when]["biases"]] for run in results["runs"]], axis=0).tolist()


def final_biases(run: Results) -> np.ndarray:
    """The biases of all gates after training."""
    return np.concatenate(run["after"]["biases"])


def table(results: Results) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    columns = [by_layer(results, when, what) for what in ("mean", "selectivity", "open") for when in TIMES]
    columns.append(mean_biases(results, "after"))
    rows = [[k + 1, *(f"{value:.3f}" for value in row)] for k, row in enumerate(zip(*columns, strict=True))]
    head = [f"{what}, {when}" for what in ("mean T", "selectivity", "share above ½") for when in TIMES]
    return ("layer", *head, "mean bias, after"), rows


def verdict(results: Results) -> Verdict:
    runs = results["runs"]
    exact = max(results["limits"].values()) == 0
    fell = median((final_biases(run) < GATE_BIAS).mean() for run in runs)
    moved = median(np.abs(final_biases(run) - GATE_BIAS).mean() for run in runs)
    before, after = (median(mean(run[when]["selectivity"]) for run in runs) for when in TIMES)
    T = median(mean(run["after"]["mean"]) for run in runs)
    error = median(run["curve"][-1]["test_error"] for run in runs)
    return Verdict(
        bool(exact and fell > 0.5 and after > before and T < 0.5 and error < LEARNT),
        f"gates forced shut and open give x and H {'exactly' if exact else 'NOT exactly'}; {100 * fell:.0f} % of the "
        f"biases fell (they moved by {moved:.3f} on average); selectivity went from {before:.3f} to {after:.3f}; T is "
        f"{T:.2f} on average after training, at {100 * error:.0f} % test error",
    )


def draw(results: Results, figure: Figure) -> None:
    panels = figure.subplots(1, 3)
    what = {
        "mean": ("how open", "mean of T (0: shut, 1: open)"),
        "selectivity": ("how selective", "deviation of T over images"),
    }
    for axes, (name, (title, label)) in zip(panels, what.items(), strict=False):
        for when, (colour, style) in TIMES.items():
            every = np.array([run[when][name] for run in results["runs"]])
            place = np.arange(1, every.shape[1] + 1)
            axes.fill_between(place, every.min(0), every.max(0), color=colour, alpha=0.2, linewidth=0)
            axes.plot(place, np.median(every, 0), style, color=colour, label=f"{when} training")
        axes.set_ylim(0, None)
        tidy(axes, title, "highway layer, from the input", label)
    biases = [[bias for run in results["runs"] for bias in run["after"]["biases"][k]] for k in range(len(place))]
    violins = panels[2].violinplot(biases, place, widths=0.8, showextrema=False)
    for body in violins["bodies"]:
        body.set(color=BLUE, alpha=0.5)
    panels[2].axhline(GATE_BIAS, color=VERMILION, linestyle="--", label=f"all of them before: {GATE_BIAS:g}")
    low, high = panels[2].get_ylim()
    panels[2].set_ylim(low, high + 0.12 * (high - low))  # room for the legend
    tidy(panels[2], "where the biases end", "highway layer, from the input", "bias")
    for axes in panels:
        axes.locator_params(axis="x", integer=True)
    title = f"Gates of highway nets, seeds' median and range: {results['data']}"
    figure.suptitle(title, fontweight="bold")
